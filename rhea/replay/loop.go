package replay

import (
	"context"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// attend takes one thing that comes in, or nothing when the time is up.
func (p *player) attend(ctx context.Context, timeUp <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timeUp:
		return nil
	case msg := <-p.answers.C():
		p.hear(msg)
	case msg := <-p.admitted.C():
		p.hearAdmitted(msg)
	case msg := <-p.entries.C():
		p.hearEntries(msg)
	case msg := <-p.scans.C():
		p.serveScan(msg)
	case msg := <-p.fetches.C():
		p.serveFetch(msg)
	case s := <-p.slices:
		p.hearSlice(s)
	}
	p.hearWaiting()
	return nil
}

// hearWaiting takes all that has come in.
func (p *player) hearWaiting() {
	for {
		select {
		case msg := <-p.answers.C():
			p.hear(msg)
		case msg := <-p.admitted.C():
			p.hearAdmitted(msg)
		case msg := <-p.entries.C():
			p.hearEntries(msg)
		case msg := <-p.scans.C():
			p.serveScan(msg)
		case msg := <-p.fetches.C():
			p.serveFetch(msg)
		case s := <-p.slices:
			p.hearSlice(s)
		default:
			p.flush()
			return
		}
	}
}

// hear takes an answer, and first what was committed: a writer says that before
// its verdict, but on another subject.
func (p *player) hear(msg *bus.Message) {
	for len(p.entries.C()) > 0 {
		p.hearEntries(<-p.entries.C())
	}
	p.core.now = time.Now()
	p.answers.Each(msg, func(m *relaypb.OutInbox) { p.core.hear(m) })
}

func (p *player) hearAdmitted(msg *bus.Message) {
	p.core.now = time.Now()
	p.admitted.Each(msg, func(m *relaypb.WriteInbox) { p.core.hear(m) })
}

func (p *player) hearEntries(msg *bus.Message) {
	p.entries.Each(msg, func(m *relaypb.LogInbox) {
		p.core.hear(m)
		p.core.head = max(p.core.head, m.GetEntries().GetHead())
	})
}

func (p *player) hearSlice(s slice) {
	p.core.now = time.Now()
	p.core.sliceNow(s.q, s.reply)
}

func (p *player) serveScan(msg *bus.Message) {
	p.scans.Each(msg, func(m *relaypb.ScanInbox) {
		if ask := m.GetScan(); ask != nil {
			p.shelf.ask(msg, ask, p.since())
		}
	})
}

// since is when the oldest recorded reply came that a stage may be given. A
// negentropy process asks exactly as the recorded one did, so none is left over.
func (p *player) since() time.Time {
	if p.o.Under == subject.Reqworker {
		return p.core.oldest()
	}
	return time.Time{}
}

func (p *player) serveFetch(msg *bus.Message) {
	p.fetches.Each(msg, func(m *relaypb.LogFetch) {
		_ = p.bus.Reply(msg, p.log.fetch(m.From)) // as in listen
	})
}

func (p *player) flush() { _ = p.outbox.Flush() } // as in newPlayer

// until waits for the time of the next message.
func (p *player) until(ctx context.Context, at time.Time) error {
	if p.o.Speed == 0 {
		return nil
	}
	due := p.started.Add(time.Duration(float64(at.Sub(p.core.began)) / p.o.Speed))
	for time.Now().Before(due) {
		timer := time.NewTimer(time.Until(due))
		err := p.attend(ctx, timer.C)
		timer.Stop()
		if err != nil {
			return err
		}
		p.progress()
	}
	return nil
}

// gate waits until the replay has answered all that the recording has answered.
func (p *player) gate(ctx context.Context) error {
	p.hearWaiting()
	for {
		p.core.now = time.Now()
		next, given := p.core.giveUp(p.patience)
		if given > 0 {
			p.core.result.GivenUp += given
			p.patience = max(p.patience/2, min(leastPatience, p.o.Patience))
		}
		if len(p.core.owed) == 0 {
			return nil
		}
		timer := time.NewTimer(min(next, stuck))
		err := p.attend(ctx, timer.C)
		timer.Stop()
		if err != nil {
			return err
		}
		p.awake() // the stage may be slow to start
		if since := p.core.overdue(time.Now().Add(-stuck)); !since.IsZero() && p.o.Under == subject.Reqworker {
			p.shelf.again(since)
		}
		p.progress()
	}
}

// stuck is how long an answer is owed before it is looked for otherwise.
const stuck = 200 * time.Millisecond

// settle waits for what is still to come when the recording has ended, and compares
// what is open.
func (p *player) settle(ctx context.Context) error {
	p.flush()
	if err := p.gate(ctx); err != nil {
		return err
	}
	for deadline := time.Now().Add(p.patience); p.core.waiting() && time.Now().Before(deadline); {
		timer := time.NewTimer(time.Until(deadline))
		err := p.attend(ctx, timer.C)
		timer.Stop()
		if err != nil {
			return err
		}
	}
	p.core.restChains(true)
	p.core.end()
	p.flush()
	return nil
}

// progressEvery is the rhythm of Progress.
const progressEvery = 250 * time.Millisecond

func (p *player) progress() {
	if now := time.Now(); p.o.Progress != nil && now.Sub(p.told) >= progressEvery {
		p.told = now
		p.o.Progress(p.core.result, p.core.at.Sub(p.core.began))
	}
}
