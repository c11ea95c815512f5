package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tree returns the processes given and all their descendants that run now. It is an
// error when one of those given does not.
func Tree(roots ...int) ([]int, error) {
	children := make(map[int][]int)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	there := make(map[int]bool)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, err := parentOf(pid); err == nil {
			children[parent] = append(children[parent], pid)
			there[pid] = true
		}
	}
	var tree []int
	for _, root := range roots {
		if !there[root] {
			return nil, fmt.Errorf("there is no process %d", root)
		}
		tree = append(tree, root)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree, nil
}

// parentOf reads the fourth field of stat, behind a name that may hold anything.
func parentOf(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" {
		return 0, errors.New("it has ended")
	}
	return strconv.Atoi(fields[1])
}

// Read returns what the processes have used so far. One that ends meanwhile is left
// out. The CPU time is exact, and includes threads that have ended; the wake-ups do not.
func Read(pids []int) Usages {
	all := make(Usages)
	for _, pid := range pids {
		cpu, err := cpuTime(pid)
		if err != nil {
			continue
		}
		u := all[name(pid)]
		u.CPU += cpu
		u.Wakeups += wakeups(pid)
		all[name(pid)] = u
	}
	return all
}

// cpuTime reads the clock that the kernel keeps for each process; see
// clock_getcpuclockid(3).
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: nanoseconds, user and system
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// wakeups sums over the threads that live.
func wakeups(pid int) (n uint64) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0
	}
	for _, task := range tasks {
		n += uint64(field(task, "voluntary_ctxt_switches:"))
	}
	return n
}

// name is what a process is called in a report: the stage of a rhea-<stage> or a rhea
// stage <stage>, "up" and "solo" of rhea, or its own name.
func name(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(string(line), "\x00")
	if err != nil || len(args) == 0 {
		return "?"
	}
	base := filepath.Base(args[0])
	if stage, ok := strings.CutPrefix(base, "rhea-"); ok {
		return stage
	}
	if base == "rhea" && len(args) > 1 {
		if args[1] == "stage" && len(args) > 2 {
			return args[2]
		}
		return args[1]
	}
	return base
}

// MemoryOf returns the memory of the processes by name. One that ends meanwhile is left
// out.
func MemoryOf(pids []int) Memories {
	all := make(Memories)
	for _, pid := range pids {
		rollup := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
		m := all[name(pid)]
		m.RSS += field(rollup, "Rss:") << 10
		m.PSS += field(rollup, "Pss:") << 10
		all[name(pid)] = m
	}
	return all
}

// field reads the number behind a word that begins a line; 0 when there is none.
func field(path, word string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// DiskOf returns the bytes that the files below dir take on disk: the blocks that are
// allocated, as du counts. A file that goes meanwhile does not count.
func DiskOf(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			bytes += s.Blocks * 512
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("disk: %w", err)
	}
	return bytes, nil
}
