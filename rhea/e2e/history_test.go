package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/subject"
)

// Random histories of several connections (events of every sort, deletions,
// vanishes, expirations, AUTH, queries, counts, subscriptions, negentropy) have the
// outcome that the oracle of a relay says. A history that fails is made smaller
// while it still fails. In the end the relay is restarted, and asked again.
func TestHistories(t *testing.T) {
	for name, args := range map[string][]string{
		"solo":        nil,
		"up":          nil,
		"two of each": {"--gateways=2", "--ingesters=2", "--reqworkers=2", "--monitors=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mode := "up"
			if name == "solo" {
				mode = "solo"
			}
			seed := rand.Uint64()
			t.Log("seed", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			w := &world{relay: start(t, mode, "", args), salt: fmt.Sprint(seed), restless: name == "two of each"}
			var steps []step
			hints := 0
			for range rounds(4) {
				steps = generate(rng, 200)
				if err := w.run(steps); err != nil {
					small, why := w.shrink(steps, err)
					t.Fatalf("seed %d: %v\nin\n%s", seed, why, describe(small))
				}
				hints += w.hints
			}
			if hints == 0 {
				t.Error("no EOSE had a hint")
			}
			w.relay.stop()
			if out, errs, err := w.relay.rhea(nil, "check"); err != nil {
				t.Errorf("seed %d: check: %v\n%s%s", seed, err, out, errs)
			}
			w.relay = start(t, mode, w.relay.data, args)
			if err := w.reread(steps); err != nil {
				t.Errorf("seed %d: after a restart: %v", seed, err)
			}
		})
	}
}

// The same while processes are killed: what a client sees is the same.
func TestHistoriesUnderFire(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := start(t, "up", "", nil)
	_, roster := onlooker(t, r.busURL())
	stages := []subject.Stage{subject.Ingester, subject.Negentropy, subject.Reqworker, subject.Monitor, subject.Writer}
	fires := 0
	w := &world{relay: r, salt: fmt.Sprint(seed), restless: true, fire: func() {
		st := stages[fires%len(stages)]
		fires++
		if err := syscall.Kill(int(members(t, roster, st, 1)[0].Pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}}
	for range rounds(2) {
		steps := generate(rng, 200)
		if err := w.run(steps); err != nil {
			t.Fatalf("seed %d: %v\nin\n%s", seed, err, describe(steps))
		}
	}
	if fires == 0 {
		t.Error("nothing was killed")
	}
	checkStore(t, r)
}

// shrink drops steps as long as what is left fails.
func (w *world) shrink(steps []step, err error) ([]step, error) {
	until := time.Now().Add(time.Minute)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at < len(steps) && time.Now().Before(until); {
			less := append(append([]step(nil), steps[:at]...), steps[min(at+size, len(steps)):]...)
			if e := w.run(less); e != nil {
				steps, err = less, e
			} else {
				at += size
			}
		}
	}
	return steps, err
}

// step is one thing that a history does. Texts have placeholders ($e7: the id of the
// event of step 7, $k2: key 2, $t30: second 30 of the history, $soon, $far and $gone:
// times before and after now), so that a history can be played again with other keys
// and at another time without meeting its former self.
type step struct {
	n    int // its number, which stays when others are dropped
	op   string
	conn int
	key  int
	kind int
	at   int
	ref  int    // publish again
	text string // tags, or filters
}

func (s step) String() string {
	switch s.op {
	case "publish":
		return fmt.Sprintf("%3d: publish conn=%d key=%d kind=%d at=%d tags=%s", s.n, s.conn, s.key, s.kind, s.at, s.text)
	case "again":
		return fmt.Sprintf("%3d: publish conn=%d $e%d again", s.n, s.conn, s.ref)
	case "auth":
		return fmt.Sprintf("%3d: auth conn=%d key=%d", s.n, s.conn, s.key)
	}
	return fmt.Sprintf("%3d: %s conn=%d %s", s.n, s.op, s.conn, s.text)
}

func describe(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

const (
	historyKeys  = 4
	historyConns = 3
)

// historyKinds are those that something depends on, the frequent ones more often.
var historyKinds = []int{1, 1, 1, 1, 7, 0, 3, 10002, 30023, 30023, 30023, 5, 5, 5, 5, 4, 4, 1059, 1059, 1059, 62, 20001, 21059, 6, 22242}

// generate makes a history.
func generate(rng *rand.Rand, n int) []step {
	steps := make([]step, n)
	g := &generator{rng: rng}
	for i := range steps {
		s := step{n: i, conn: rng.IntN(historyConns), key: rng.IntN(historyKeys)}
		if i > 0 && rng.IntN(3) > 0 {
			s.conn = steps[i-1].conn // what is published in a row, is in one batch
		}
		switch p := rng.IntN(100); {
		case i == n*3/4:
			s.op = "wait" // what passes soon has passed
		case i%25 == 24:
			s.op = "fire"
		case p < 52:
			s.op, s.at = "publish", rng.IntN(60)
			s.kind = historyKinds[rng.IntN(len(historyKinds))]
			s.text = g.tags(s)
			g.events = append(g.events, i)
		case p < 60 && len(g.events) > 0:
			s.op, s.ref = "again", g.event()
		case p < 64:
			s.op = "auth"
		case p < 78:
			s.op, s.text = "query", g.filters(1+rng.IntN(3))
		case p < 86:
			s.op, s.text = "count", g.filters(1+rng.IntN(2))
		case p < 91:
			s.op, s.text = "subscribe", g.filters(1+rng.IntN(2))
		case p < 93:
			s.op = "unsubscribe"
		default:
			s.op, s.text = "negentropy", g.filters(1)
		}
		steps[i] = s
	}
	// Some deletions name what comes only afterwards.
	for i := range steps[:n-1] {
		later := i + 1 + rng.IntN(n-i-1)
		if s := &steps[i]; s.kind == 5 && rng.IntN(3) == 0 && steps[later].op == "publish" && !strings.Contains(steps[later].text, "$e") {
			s.text = strings.TrimSuffix(s.text, "]") + fmt.Sprintf(`,["e","$e%d"]]`, later)
		}
	}
	return steps
}

// generator makes up tags and filters of what is there.
type generator struct {
	rng    *rand.Rand
	events []int
}

func (g *generator) one(in int) bool { return g.rng.IntN(in) == 0 }
func (g *generator) event() int      { return g.events[g.rng.IntN(len(g.events))] }
func (g *generator) pick(list ...string) string {
	return list[g.rng.IntN(len(list))]
}

func (g *generator) address() string {
	return fmt.Sprintf("%s:$k%d:%s", g.pick("30023", "30023", "0", "3", "10002", "1", "5", "62"), g.rng.IntN(historyKeys), g.pick("a", "b", ""))
}

func (g *generator) tags(s step) string {
	var tags []string
	add := func(format string, args ...any) { tags = append(tags, fmt.Sprintf(format, args...)) }
	switch s.kind {
	case 5:
		for range 1 + g.rng.IntN(3) {
			if len(g.events) > 0 && g.one(2) {
				add(`["e","$e%d"]`, g.event())
			} else {
				add(`["a","%s"]`, g.address())
			}
		}
	case 4, 1059, 21059:
		add(`["p","$k%d"]`, g.rng.IntN(historyKeys))
		if g.one(4) {
			add(`["p","$k%d"]`, g.rng.IntN(historyKeys))
		}
	case 30023:
		add(`["d","%s"]`, g.pick("a", "b", ""))
	case 62:
		if !g.one(8) {
			add(`["relay","%s"]`, g.pick("ALL_RELAYS", "ALL_RELAYS", "wss://elsewhere.example.org"))
		}
	}
	if g.one(3) {
		add(`["t","%s"]`, g.pick("x", "y"))
	}
	if g.one(6) && len(g.events) > 0 && s.kind != 5 {
		add(`["e","$e%d"]`, g.event())
	}
	if g.one(6) && s.kind != 1059 {
		add(`["p","$k%d"]`, g.rng.IntN(historyKeys))
	}
	switch {
	case g.one(15):
		add(`["-"]`)
	case g.one(10) && (s.kind == 1 || s.kind == 7 || s.kind == 4 || s.kind == 1059 || s.kind == 20001):
		add(`["expiration","%s"]`, g.pick("$soon", "$soon", "$far", "$gone", "never", "0"))
	}
	return "[" + strings.Join(tags, ",") + "]"
}

func (g *generator) filters(n int) string {
	var list []string
	for range n {
		list = append(list, g.filter())
	}
	return strings.Join(list, ",")
}

func (g *generator) filter() string {
	var fields []string
	add := func(format string, args ...any) { fields = append(fields, fmt.Sprintf(format, args...)) }
	if g.one(5) && len(g.events) > 0 {
		add(`"ids":["$e%d","$e%d"]`, g.event(), g.event())
	}
	if g.one(3) {
		add(`"authors":["$k%d","$k%d"]`, g.rng.IntN(historyKeys), g.rng.IntN(historyKeys))
	}
	if g.one(3) {
		add(`"kinds":[%s]`, g.pick("1", "1,7", "5", "4,1059", "1059", "1,1059", "0,3,10002,30023", "62", "70000", "", "20001,21059", "30023"))
	}
	for _, name := range []string{"p", "e", "t", "d", "a"} {
		if !g.one(8) {
			continue
		}
		switch name {
		case "p":
			add(`"#p":["$k%d"]`, g.rng.IntN(historyKeys))
		case "e":
			if len(g.events) > 0 {
				add(`"#e":["$e%d","$e%d"]`, g.event(), g.event())
			}
		case "t":
			add(`"#t":[%s]`, g.pick(`"x"`, `"y"`, `"x","y"`, `"z"`, ``))
		case "d":
			add(`"#d":["%s"]`, g.pick("a", "b", ""))
		case "a":
			add(`"#a":["%s"]`, g.address())
		}
	}
	if g.one(4) {
		add(`"limit":%d`, []int{0, 1, 2, 5, 20}[g.rng.IntN(5)])
	}
	since, until := 0, 999
	if g.one(4) {
		since = g.rng.IntN(60)
	}
	if g.one(4) {
		until = g.rng.IntN(60)
	}
	g.rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	add(`"since":$t%d`, since)
	add(`"until":$t%d`, until)
	return "{" + strings.Join(fields, ",") + "}"
}
