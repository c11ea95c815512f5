package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"rhea/rhea/bench/histogram"
)

// Machine is what everything was measured on.
type Machine struct {
	Cores   int     `json:"cores"`
	CPU     string  `json:"cpu"`
	Kernel  string  `json:"kernel"`
	Go      string  `json:"go"`
	Rhea    string  `json:"rhea"`
	Load    float64 `json:"load_before"`
	FsyncUs float64 `json:"fsync_p50_us"` // 4 KiB appended and synced
}

// syncs is how many appends are timed.
const syncs = 50

// Look describes this machine; dir is on the disk whose fsync is timed. What cannot be
// read is left empty.
func Look(dir, version string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), CPU: cpuModel(), Kernel: firstLine("/proc/sys/kernel/osrelease"), Go: runtime.Version(), Rhea: version}
	fmt.Sscan(firstLine("/proc/loadavg"), &m.Load) // stays 0 where there is none
	sync, err := fsyncTime(dir)
	m.FsyncUs = float64(sync.Nanoseconds()) / 1000
	return m, err
}

// String is one line or two, with a warning when the machine was busy.
func (m Machine) String() string {
	s := fmt.Sprintf("%d cores (%s) · Linux %s · %s · rhea %s · fsync p50 %.0f µs · load %.2f",
		m.Cores, m.CPU, m.Kernel, m.Go, m.Rhea, m.FsyncUs, m.Load)
	if m.Load > 0.5 {
		s += "\nwarning: the machine was busy before the start: rates and latencies suffer, CPU times less"
	}
	return s
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range bytes.Lines(text) {
		if name, value, found := bytes.Cut(line, []byte(":")); found && strings.TrimSpace(string(name)) == "model name" {
			return strings.TrimSpace(string(value))
		}
	}
	return runtime.GOARCH
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// fsyncTime is the median of what a 4 KiB append and its fsync take.
func fsyncTime(dir string) (median time.Duration, err error) {
	f, err := os.CreateTemp(dir, "rhea-fsync-")
	if err != nil {
		return 0, fmt.Errorf("timing fsync: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(filepath.Clean(f.Name()))) }()
	var h histogram.Histogram
	block := make([]byte, 4096)
	for range syncs {
		begin := time.Now()
		_, err := f.Write(block)
		if err = errors.Join(err, f.Sync()); err != nil {
			return 0, fmt.Errorf("timing fsync: %w", err)
		}
		h.Record(time.Since(begin))
	}
	return h.Percentile(50), nil
}
