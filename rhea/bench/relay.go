package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rhea/proto/stage"
	"rhea/rhea/bench/proc"
	"rhea/rhea/bench/wire"
)

// Relay is a relay under test.
type Relay struct {
	Name    string
	URL     string
	Dir     string // "": its disk is not known
	pids    []int  // those that were named; children are found
	metrics []string
	sent    wire.Meter
	own     *child // nil when others have started it
	filled  bool   // it has been given the made events
	used    int    // how many others it has been given
}

// child is a relay that this process has started.
type child struct {
	cmd  *exec.Cmd
	data string
	logs *tail
	done chan struct{}
	err  error // of its end; read after done
}

const (
	startPatience = 60 * time.Second
	stopPatience  = 30 * time.Second
	metricsPorts  = 8 // rhea up takes one for itself and one for each process
)

// Start runs `rhea <mode>` on a fresh store below parent and returns when clients can
// connect. Settings in the environment (RHEA_…) are heeded, but for what a load must
// have.
func Start(ctx context.Context, rhea, mode, parent string) (*Relay, error) {
	data, err := os.MkdirTemp(parent, "rhea-bench-")
	if err != nil {
		return nil, fmt.Errorf("starting rhea %s: %w", mode, err)
	}
	port, err := freePorts(metricsPorts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting rhea %s: %w", mode, err), os.RemoveAll(data))
	}
	c := &child{data: data, logs: &tail{}, done: make(chan struct{})}
	c.cmd = exec.Command(rhea, mode, "--listen", "127.0.0.1:0", "--data", data, "--metrics.listen", address(port))
	c.cmd.Env = append(os.Environ(), "RHEA_GATEWAY_MAX_PER_ADDRESS=1000000", "RHEA_GATEWAY_MAX_CONNECTIONS=1000000", stage.SupervisedEnv+"=1")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us to pass on
	c.cmd.Stderr = c.logs
	r := &Relay{Name: "rhea " + mode, Dir: data, own: c}
	for i := range metricsPorts {
		r.metrics = append(r.metrics, "http://"+address(port+i)+"/metrics")
	}
	if r.URL, err = c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting rhea %s: %w", mode, err), os.RemoveAll(data))
	}
	r.pids = []int{c.cmd.Process.Pid}
	return r, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds n ports in a row, below those that systems give to clients: ours are
// many, and would take one. Somebody else may do so too before they are used; then the
// relay does not start.
func freePorts(n int) (port int, err error) {
	const lowest, highest, tries = 10_000, 32_000, 50
	for range tries {
		port = lowest + rand.IntN(highest-lowest)
		if err = free(port, n); err == nil {
			return port, nil
		}
	}
	return 0, err
}

func free(port, n int) error {
	for i := range n {
		l, err := net.Listen("tcp", address(port+i))
		if err != nil {
			return err
		}
		_ = l.Close() // nobody has connected
	}
	return nil
}

// start returns where the relay is ready.
func (c *child) start(ctx context.Context) (url string, err error) {
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	// Nothing is ever written here: its end tells the relay that this process was killed.
	if _, err := c.cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := c.cmd.Start(); err != nil {
		return "", err
	}
	ready := make(chan string, 1)
	go func() {
		pattern := regexp.MustCompile(`ready on (ws://\S+)`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := pattern.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case ready <- m[1]:
				default: // it says so once
				}
			}
		}
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	select {
	case url := <-ready:
		return url, nil
	case <-c.done:
		return "", fmt.Errorf("it has ended: %v\n%s", c.err, c.logs)
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), c.stop())
	case <-time.After(startPatience):
		return "", errors.Join(fmt.Errorf("it is not ready after %s\n%s", startPatience, c.logs), c.stop())
	}
}

// stop ends the process and what it has started.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-c.done:
	case <-time.After(stopPatience):
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // the whole group
		<-c.done
		return fmt.Errorf("rhea has not ended within %s and was killed\n%s", stopPatience, c.logs)
	}
	if c.err != nil {
		return fmt.Errorf("rhea has ended with %w\n%s", c.err, c.logs)
	}
	return nil
}

// Stop ends a relay that was started here, and removes its data; others are left
// alone.
func (r *Relay) Stop() error {
	if r.own == nil {
		return nil
	}
	return errors.Join(r.own.stop(), os.RemoveAll(r.own.data))
}

// mode is what a relay of ours was started as.
func (r *Relay) mode() string { return r.own.cmd.Args[1] }

// gone is an error when a relay of ours has ended by itself.
func (r *Relay) gone() error {
	if r.own == nil {
		return nil
	}
	select {
	case <-r.own.done:
		return fmt.Errorf("%s has ended: %v\n%s", r.Name, r.own.err, r.own.logs)
	default:
		return nil
	}
}

// Processes returns the processes that are the relay now; none when none were named.
func (r *Relay) Processes() ([]int, error) {
	if len(r.pids) == 0 {
		return nil, nil
	}
	return proc.Tree(r.pids...)
}

// BusMessages is how many bus messages the relay's stages have sent and received, over
// NATS or in memory; ok is false for a relay that has none, or says nothing about it.
func (r *Relay) BusMessages() (n float64, ok bool) {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	for _, url := range r.metrics {
		res, err := client.Get(url)
		if err != nil {
			continue // no process has this port
		}
		text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
		_ = res.Body.Close() // it was read
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
			if name, _, _ = strings.Cut(name, "{"); name == "rhea_bus_in_messages_total" || name == "rhea_bus_out_messages_total" {
				v, err := strconv.ParseFloat(value, 64)
				n, ok = n+v, ok || err == nil
			}
		}
	}
	return n, ok
}

// Store is where the relay's data are, "" if nobody knows.
func (r *Relay) Store() string {
	if r.own != nil {
		return filepath.Join(r.Dir, "store")
	}
	return r.Dir
}
