package ingester

import (
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
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
	seen    *seen
	metrics *metrics

	batch  []item
	checks []*check // signatures that the batch waits for, each once
	wanted map[fingerprint]*check
	bytes  int // of the batch's frames

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
	check *check // nil if there is nothing to verify
}

func newCore(l limits.Limits, p policy.Policy, seenEvents int, m *metrics) *core {
	c := &core{metrics: m, secret: newSecret(), seen: newSeen(seenEvents), wanted: make(map[fingerprint]*check)}
	c.setRules(l, p)
	return c
}

// setRules changes what events are judged by, between batches.
func (c *core) setRules(l limits.Limits, p policy.Policy) {
	c.limits, c.policy, c.names = l, p, p.Names()
}

// finish returns what became of the batch and begins the next. All checks must
// be settled.
func (c *core) finish() []output {
	for _, ch := range c.checks {
		c.metrics.checks.Inc()
		if ch.valid {
			c.seen.add(ch.key)
		}
	}
	c.metrics.seen.Set(int64(c.seen.size()))
	outputs := make([]output, len(c.batch))
	for i, it := range c.batch {
		good := it.check == nil || it.check.valid
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
	clear(c.checks)
	clear(c.wanted)
	c.batch, c.checks, c.bytes = c.batch[:0], c.checks[:0], 0
	return outputs
}

// checkOf returns the check that e waits for, nil if e is remembered as good.
func (c *core) checkOf(e *nostr.Event) *check {
	key := c.secret.fingerprint(e)
	if ch := c.wanted[key]; ch != nil {
		c.metrics.spared.Inc()
		return ch
	}
	if c.seen.has(key) {
		c.metrics.spared.Inc()
		return nil
	}
	ch := &check{key: key, id: e.ID, pubkey: e.PubKey, sig: e.Sig}
	c.wanted[key] = ch
	c.checks = append(c.checks, ch)
	return ch
}
