package bench

import (
	"syscall"
	"time"

	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/proc"
)

// reading is the state of a relay's meters at one moment.
type reading struct {
	at     time.Time
	used   proc.Usages
	own    time.Duration // CPU of this process
	wire   int64         // bytes that the relay has sent
	text   int64         // and of the messages in them
	bus    float64
	hasBus bool
	pids   []int
}

// read takes a reading. The bus is asked first or last, so that the answer to the
// question is in no measurement.
func (r *Relay) read(first bool) (now reading, err error) {
	if first {
		now.bus, now.hasBus = r.BusMessages()
	}
	if now.pids, err = r.Processes(); err != nil {
		return now, err
	}
	now.used, now.own, now.at = proc.Read(now.pids), ownCPU(), time.Now()
	now.wire, now.text = r.sent.Bytes.Load(), r.sent.Texts.Load()
	if !first {
		now.bus, now.hasBus = r.BusMessages()
	}
	return now, nil
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure makes the result of what was done since before was read.
func (r *Relay) measure(before reading, unit string, done, refused uint64, h *histogram.Histogram) (Result, error) {
	now, err := r.read(false)
	if err != nil {
		return Result{}, err
	}
	took := now.at.Sub(before.at)
	res := Result{Relay: r.Name, Unit: unit, Done: done, Refused: refused, Seconds: took.Seconds(), Latency: latencyOf(h)}
	each := float64(max(done, 1))
	if unit == "second" {
		each = took.Seconds()
	}
	res.Rate = float64(done) / took.Seconds()
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / each }
	res.ClientCPU = us(now.own - before.own)
	res.Wire, res.Text = float64(now.wire-before.wire)/each, float64(now.text-before.text)/each
	res.Deflate = r.sent.Answer()
	if len(now.pids) > 0 {
		spent := now.used.Since(before.used)
		res.Stages = make(map[string]float64)
		for name, u := range spent {
			res.Stages[name] = us(u.CPU)
		}
		res.CPU, res.Wakeups = us(spent.Total().CPU), float64(spent.Total().Wakeups)/each
		m := proc.MemoryOf(now.pids).Total()
		res.RSS, res.PSS = m.RSS, m.PSS
	}
	if now.hasBus && before.hasBus {
		messages := (now.bus - before.bus) / each
		res.Bus = &messages
	}
	if dir := r.Store(); dir != "" {
		if res.Disk, err = proc.DiskOf(dir); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}
