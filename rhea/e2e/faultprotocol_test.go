package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// kill -9 of one process at a time, and of two, while several connections do all of the
// protocol at once: every question gets its one answer, nobody is sent, live or stored,
// counted or told the id of what is for others, what was removed stays away from the OK
// on, and in the end exactly that is there of which there was an OK. No client loses
// anything but its negentropy sessions.
func TestKillStagesProtocol(t *testing.T) {
	for name, layout := range map[string]struct {
		each int
		args []string
	}{
		"one of each": {1, nil},
		"two of each": {2, []string{"--gateways=2", "--ingesters=2", "--reqworkers=2", "--monitors=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			const atOnce = 3 // rounds on one relay: the whole ledger is gone through at every answer
			for left := rounds(1); left > 0 && !t.Failed(); left -= atOnce {
				seed := rand.Uint64()
				t.Log("seed", seed)
				r := start(t, "up", "", layout.args, besieged...)
				_, roster := onlooker(t, r.busURL())
				s := lay(t, r, seed)
				s.until(10)
				for range min(left, atOnce) {
					s.storm(roster, layout.each)
				}
				s.lift()
				checkStore(t, r)
			}
		})
	}
}

// storm kills a process of each stage behind the gateways, one after the other, and then
// two at once. Number is how many processes there are of those that can be several.
func (s *siege) storm(roster *bus.Roster, number int) {
	kill := func(st subject.Stage) subject.Instance {
		n := number
		if st == subject.Writer || st == subject.Negentropy {
			n = 1
		}
		victim := members(s.t, roster, st, n)[s.rng.IntN(n)]
		s.note("kill %s", st)
		if err := syscall.Kill(int(victim.Pid), syscall.SIGKILL); err != nil {
			s.t.Fatal(err)
		}
		return subject.Instance(victim.Instance)
	}
	order := s.rng.Perm(len(behindGateway))
	for _, i := range order {
		if behindGateway[i] == subject.Writer {
			s.wg.Go(s.vanishGreatly)
		}
		time.Sleep(time.Duration(s.rng.Int64N(int64(100 * time.Millisecond))))
		awaitGone(s.t, roster, kill(behindGateway[i]))
		s.until(5)
	}
	a, b := kill(behindGateway[order[0]]), kill(behindGateway[order[1]])
	awaitGone(s.t, roster, a)
	awaitGone(s.t, roster, b)
	s.until(5)
}

// The same in one process, undisturbed: nothing is answered with an error.
func TestSoloProtocol(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := start(t, "solo", "", nil, besieged...)
	s := lay(t, r, seed)
	s.until(60)
	s.wg.Go(s.vanishGreatly)
	s.until(30)
	s.lift()
	s.undisturbed()
	checkStore(t, r)
}

// One more process of each stage that is sharded joins, takes its shards and leaves
// again: nothing is answered with an error but negentropy sessions of the shards that
// moved.
func TestScaleProtocol(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := start(t, "up", "", nil, besieged...)
	b, roster := onlooker(t, r.busURL())
	s := lay(t, r, seed)
	s.until(5)
	sharded := []subject.Stage{subject.Reqworker, subject.Monitor, subject.Negentropy, subject.Ingester}
	for range min(rounds(1), 10) { // the ledger grows
		var seconds []*exec.Cmd
		for _, st := range sharded {
			seconds = append(seconds, join(t, r, st))
		}
		for _, st := range sharded {
			awaitOwners(t, roster, b, st, 2)
		}
		s.note("two of each")
		s.until(10)
		for i, cmd := range seconds {
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("the second %s ended with %v", sharded[i], err)
			}
			awaitOwners(t, roster, b, sharded[i], 1)
		}
		s.note("one of each")
		s.until(10)
	}
	s.lift()
	s.undisturbed("closed")
	checkStore(t, r)
}

var (
	behindGateway = []subject.Stage{subject.Ingester, subject.Reqworker, subject.Monitor, subject.Negentropy, subject.Writer}
	// Short messages make negentropy sessions of several turns.
	besieged = append([]string{"RHEA_NEGENTROPY_FRAME_BYTES=4096"}, big...)
)

// siege is a relay on which players do all that the protocol offers.
type siege struct {
	t         *testing.T
	url       string
	ledger    *ledger
	begun     time.Time
	rng       *rand.Rand // of the test itself
	players   []*player
	great     key // has written more than is removed in one step
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	clock     atomic.Int64 // of created_at, in thirds of a second
	isQuiet   atomic.Bool
	lingering atomic.Int64 // hidden events in the last sets

	mu      sync.Mutex
	answers map[string]map[string]int // by question, by prefix
	bad     int
	keys    []nostr.PubKey // of all players, those that vanish among them
	secrets uint64
}

// lay begins with four players that authenticate and two that are strangers.
func lay(t *testing.T, r *relay, seed uint64) *siege {
	t.Helper()
	s := &siege{t: t, url: r.url, ledger: newLedger(), begun: time.Now(), answers: map[string]map[string]int{}, secrets: 1000, rng: rand.New(rand.NewPCG(seed, 0))}
	s.clock.Store(3 * 1_700_000_000)
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	s.writeGreatly(r, seed)
	for i := range 6 {
		s.players = append(s.players, enter(s, i, seed))
	}
	for _, p := range s.players {
		p.listen()
	}
	for _, p := range s.players {
		for i, play := range []func(*rand.Rand){p.act, p.ask, p.sync} {
			rng := rand.New(rand.NewPCG(seed, uint64(10*p.n+i+1)))
			s.wg.Go(func() {
				for ctx.Err() == nil {
					play(rng)
					sleep(ctx, time.Duration(rng.Int64N(int64(60*time.Millisecond))))
				}
			})
		}
	}
	s.wg.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 1000))
		for ctx.Err() == nil {
			s.passBy(rng)
			sleep(ctx, time.Duration(rng.Int64N(int64(200*time.Millisecond))))
		}
	})
	return s
}

// writeGreatly gives the relay more events of one key than it removes in one step.
func (s *siege) writeGreatly(r *relay, seed uint64) {
	s.great = s.newKey(seed)
	p := &player{talker: &talker{s: s}}
	var events []*nostr.Event
	for range 1100 {
		x := p.event(s.great, 1, fmt.Sprint("one of many ", len(events)))
		events = append(events, x.Event)
		s.ledger.sending(x)
		defer s.ledger.answered(x, ok{true, ""})
	}
	r.fill(events)
}

// vanishGreatly has them vanish.
func (s *siege) vanishGreatly() {
	p := s.players[0]
	s.clock.Add(3)
	p.publish(p.event(s.great, 62, "", nostr.Tag{"relay", "ALL_RELAYS"}))
	p.query(0, fmt.Sprintf(`{"authors":["%s"]}`, s.great.public))
	p.tally(fmt.Sprintf(`{"authors":["%s"]}`, s.great.public))
}

// passBy is a client that proves who it is, asks much, and leaves without waiting for
// an answer.
func (s *siege) passBy(rng *rand.Rand) {
	c, err := talk(s)
	if err != nil {
		s.complain("a passer-by: %v", err)
		return
	}
	p := &player{talker: c, n: 9}
	p.mortal = s.newKey(rng.Uint64() >> 2)
	p.keys = []key{p.mortal, p.mortal}
	if rng.IntN(2) == 0 {
		p.prove(p.mortal)
	}
	for range rng.IntN(10) {
		x := p.something(rng)
		s.ledger.sending(x)
		s.ledger.answered(x, ok{false, "error: nobody waited"})
		p.okOf("EVENT", x.Event)
	}
	p.talker.ask("REQ", "", p.filter(rng))
	p.talker.ask("COUNT", "", p.filter(rng))
	p.talker.ask("NEG-OPEN", `,"6100000200"`, p.filter(rng))
	sleep(s.t.Context(), time.Duration(rng.Int64N(int64(20*time.Millisecond))))
	p.hangUp()
}

// lift ends the load, and checks what the relay owes when the dust has settled.
func (s *siege) lift() {
	s.t.Helper()
	s.cancel()
	s.wg.Wait()
	s.note("the load has ended")
	s.isQuiet.Store(true)
	late := time.Now().Add(patience)
	for _, p := range s.players {
		p.settled(late)
	}
	for {
		s.lingering.Store(0)
		for _, p := range s.players {
			p.lookAround()
		}
		if s.lingering.Load() == 0 {
			break
		}
		if time.Now().After(late) {
			s.t.Errorf("what has vanished is still in the sets of negentropy")
			break
		}
	}
	for _, p := range s.players {
		p.hangUp()
	}
	s.report()
}

func (s *siege) report() {
	var fates [3]int
	doubtful := 0
	l := s.ledger
	now := l.begin()
	l.end(&now)
	for _, x := range l.all {
		fates[l.fate(x, now)]++
		if x.doubtful {
			doubtful++
		}
	}
	s.t.Logf("%v: %d events: %d there, %d gone, %d unknown, %d were answered error:", time.Since(s.begun).Round(time.Second), len(l.all), fates[present], fates[absent], fates[open], doubtful)
	for _, q := range slices.Sorted(maps.Keys(s.answers)) {
		s.t.Logf("%s: %v", q, s.answers[q])
	}
	for _, sort := range []string{"private", "public"} {
		if s.answers["EVENT, stored"][sort] == 0 || s.answers["EVENT, live"][sort] == 0 {
			s.t.Errorf("no %s events came", sort)
		}
	}
	if s.bad > 0 {
		s.t.Errorf("%d complaints", s.bad)
	}
}

// undisturbed checks that no answer was an error; refusals of other prefixes are
// judged when they come, save those of negentropy.
func (s *siege) undisturbed(allowed ...string) {
	for q, by := range s.answers {
		for prefix, n := range by {
			if (prefix == "error" || prefix == "closed") && !(q == "NEG" && slices.Contains(allowed, prefix)) {
				s.t.Errorf("%s: %d answers %s:", q, n, prefix)
			}
		}
	}
}

// until waits until each question was answered well n more times.
func (s *siege) until(n int) {
	s.t.Helper()
	questions := []string{"OK", "REQ", "COUNT", "NEG"}
	sum := func() (low map[string]int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		low = map[string]int{}
		for _, q := range questions {
			low[q] = s.answers[q][""]
		}
		return low
	}
	before, late := sum(), time.After(patience)
	for {
		now := sum()
		if !slices.ContainsFunc(questions, func(q string) bool { return now[q] < before[q]+n }) {
			return
		}
		select {
		case <-late:
			s.t.Errorf("before %v, now %v", before, now)
			s.t.FailNow()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// count notes an answer, by what its text begins with.
func (s *siege) count(question, text string) {
	prefix, _, _ := strings.Cut(text, ":")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers[question] == nil {
		s.answers[question] = map[string]int{}
	}
	s.answers[question][prefix]++
}

func (s *siege) note(format string, args ...any) {
	span := s.ledger.begin()
	s.t.Logf("%5d ms, tick %d: %s", time.Since(s.begun).Milliseconds(), span.from, fmt.Sprintf(format, args...))
}

// complain reports what the relay has done wrong, the first times in full.
func (s *siege) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad++; s.bad <= 20 {
		s.t.Errorf("%5d ms: %s", time.Since(s.begun).Milliseconds(), fmt.Sprintf(format, args...))
	}
}
