package ingester

import (
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/subject"
)

// core decides about events and AUTHs. It has no goroutine, clock or bus: take and
// authenticate are called for each frame of a batch, then somebody settles the
// checks, then finish gives what is to be sent, in the order of the frames.
type core struct {
	limits  limits.Limits
	policy  policy.Policy
	names   policy.Names
	secret  secret
	seen    *recent[fingerprint]    // of events whose signature is valid
	suspect *recent[subject.ConnID] // who has sent one that is not
	metrics *metrics

	batch           []item
	together, alone pile                  // signatures that the batch waits for, each once
	wanted          map[fingerprint]check // where they are
	bytes           int                   // of the batch's frames

	canon nostr.Canon
	arena []byte // of the batch's headers and JSON
}

// output is a message to send: a verdict for a gateway, or an event for the
// writer.
type output struct {
	gateway  subject.Instance
	verdict  *relaypb.Verdict
	admitted *relaypb.Admitted
}

// item is what becomes of a frame of the batch if its check is good.
type item struct {
	output
	check check
}

// check says where an item's signature waits.
type check struct {
	in    *pile // nil: there is nothing to verify
	index int
}

func (ch check) good() bool { return ch.in == nil || ch.in.good[ch.index] }

// maxSuspects bounds how many connections are remembered for a bad signature. It is
// far above those that a gateway lets in from one address.
const maxSuspects = 8192

func newCore(l limits.Limits, p policy.Policy, seenEvents int, m *metrics) *core {
	c := &core{
		metrics: m, secret: newSecret(), wanted: make(map[fingerprint]check),
		seen: newRecent[fingerprint](seenEvents), suspect: newRecent[subject.ConnID](maxSuspects),
	}
	c.setRules(l, p)
	return c
}

// setRules changes what events are judged by, between batches.
func (c *core) setRules(l limits.Limits, p policy.Policy) {
	c.limits, c.policy, c.names = l, p, p.Names()
}

// checks is how many signatures the batch waits for.
func (c *core) checks() int { return len(c.together.sigs) + len(c.alone.sigs) }

// finish returns what became of the batch and begins the next. All checks must
// be settled.
func (c *core) finish() []output {
	for _, p := range []*pile{&c.together, &c.alone} {
		for i, from := range p.from {
			c.metrics.checks.Inc()
			switch {
			case p.good[i]:
				c.seen.add(from.key)
			case !from.imported:
				c.suspect.add(from.conn)
			}
		}
	}
	c.metrics.seen.Set(int64(c.seen.size()))
	outputs := make([]output, len(c.batch))
	for i, it := range c.batch {
		good := it.check.good()
		switch {
		case it.admitted != nil && good:
			c.metrics.admitted.Inc()
		case it.admitted != nil:
			it.admitted.Forged = true
			c.metrics.forged.Inc()
		case it.verdict.Outcome == relaypb.Outcome_AUTHENTICATED:
			c.finishAuth(it.verdict, good)
		}
		outputs[i] = it.output
	}
	clear(c.batch)
	clear(c.wanted)
	c.together.clear()
	c.alone.clear()
	c.batch, c.bytes = c.batch[:0], 0
	return outputs
}

// checkOf returns the check that e waits for, which has come from somebody. The
// signatures of a connection that has sent a bad one are verified one by one from then
// on: a bad one among many costs all of them a second look. An import goes on as it was:
// what it brings is nobody's attack, and all of a shard looks like one connection.
func (c *core) checkOf(from origin, e *nostr.Event) check {
	from.key = c.secret.fingerprint(e)
	if ch, ok := c.wanted[from.key]; ok {
		c.metrics.spared.Inc()
		return ch
	}
	if c.seen.has(from.key) {
		c.metrics.spared.Inc()
		return check{}
	}
	ch := check{in: &c.together}
	if c.suspect.has(from.conn) {
		c.metrics.alone.Inc()
		ch.in = &c.alone
	}
	ch.index = ch.in.add(schnorr.Signature{ID: e.ID, PubKey: e.PubKey, Sig: e.Sig}, from)
	c.wanted[from.key] = ch
	return ch
}
