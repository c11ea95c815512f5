package stage

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Checks are the conditions that a process answers for on /healthz and /readyz.
// All methods are safe for concurrent use. A nil *Checks takes conditions and
// forgets them, for stages that run in tests.
type Checks struct {
	who   string // begins each line; "" when the process is one stage
	stage string

	mu    sync.Mutex
	able  bool // Ready has been called
	alive []condition
	ready []condition
}

type condition struct {
	name  string
	check func() error
}

// Alive adds a condition to /healthz: while check returns an error the process is
// beyond help and should be started again. Check is called from any goroutine and
// must be quick.
func (c *Checks) Alive(name string, check func() error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive = append(c.alive, condition{name, check})
}

// Ready adds a condition to /readyz: while check returns an error the process
// cannot do its work, for a reason of its own or of others. A process is not ready
// before Ready was called once. Check is called from any goroutine and must be
// quick.
func (c *Checks) Ready(name string, check func() error) {
	if c == nil {
		return
	}
	c.add(name, check)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.able = true
}

// add is Ready for what holds of every process, and does not make one able.
func (c *Checks) add(name string, check func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = append(c.ready, condition{name, check})
}

// stuckAfter is how long a loop may stand still: a hundred times what the worst
// known turn takes, and less than anybody's patience.
const stuckAfter = 30 * time.Second

// Loop adds a loop to /healthz, which from its first beat on must not pause for 30
// seconds. A loop that has ended in order is not missed.
func (c *Checks) Loop(name string) *Pulse {
	p := &Pulse{began: time.Now()}
	c.Alive(name, p.check)
	return p
}

// Pulse tells a loop that turns from one that is stuck. Its methods are safe for
// concurrent use.
type Pulse struct {
	began time.Time    // never the wall clock, which may jump
	last  atomic.Int64 // since began, nanoseconds; 0: not running
}

// Beat says that the loop turns; it is called about once a second.
func (p *Pulse) Beat() { p.last.Store(int64(max(1, time.Since(p.began)))) }

// End says that the loop is over.
func (p *Pulse) End() { p.last.Store(0) }

func (p *Pulse) check() error {
	last := p.last.Load()
	if still := time.Since(p.began) - time.Duration(last); last != 0 && still > stuckAfter {
		return fmt.Errorf("has not turned for %s", still.Round(time.Second))
	}
	return nil
}

var errStarting = errors.New("is starting")

// failing appends a line for each condition that does not hold; ready asks for
// those of Ready as well.
func (c *Checks) failing(lines []string, ready bool) []string {
	c.mu.Lock()
	conditions := append([]condition{}, c.alive...)
	if ready {
		conditions = append(conditions, c.ready...)
		if !c.able {
			conditions = append(conditions, condition{"process", func() error { return errStarting }})
		}
	}
	c.mu.Unlock()
	for _, one := range conditions {
		if err := one.check(); err != nil {
			lines = append(lines, fmt.Sprintf("%s%s: %v", c.who, one.name, err))
		}
	}
	return lines
}

// collect tells Prometheus of each condition of Ready.
func (c *Checks) collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	conditions := append([]condition{}, c.ready...)
	c.mu.Unlock()
	for _, one := range conditions {
		value := 1.0
		if one.check() != nil {
			value = 0
		}
		desc := prometheus.NewDesc("rhea_ready", "1 while this condition of /readyz holds, else 0.", nil,
			prometheus.Labels{"stage": c.stage, "check": one.name})
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
