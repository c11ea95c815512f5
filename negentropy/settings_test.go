package negentropy

import (
	"errors"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
)

// Settings change while sessions are open. Limits hold for new sessions. When the
// private kinds change all sessions end, whatever they are at, and the tree, which
// was made for others, is not used again.
func TestSettings(t *testing.T) {
	cfg := DefaultConfig()
	b := newBench(t, cfg, newFakeStore(seed(t)))
	limits := nostr.FilterLimits{MaxFilters: 10, MaxValues: 100}
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "1.0 61")
	b.want(b.say(openMsg(conn(1), 2, `{"kinds":[1]}`, ask)), "2.0 61")
	cfg.MaxSessions = 2
	if b.set(b.clock, cfg, limits, policyOfTests()) {
		t.Error("the tree is to be loaded again")
	}
	b.want(b.say(nextMsg(conn(1), 1, 1, ask)), "1.1 61")
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "3.0 error: busy: too many sessions are open; try again later")

	cfg.MaxSessions = 10
	p := policy.Policy{PrivateKinds: policy.Kinds{1}}
	b.held = true
	b.want(b.say(nextMsg(conn(1), 2, 1, ask)), "") // it has not been answered
	if !b.set(b.clock, cfg, limits, &p) || b.mirror.tree != nil {
		t.Error("the tree is not to be loaded again")
	}
	answers := map[string]bool{}
	for range 2 { // in any order
		answers[b.run()] = true
	}
	const over = "closed: the relay's rules have changed; start over"
	if !answers["1.1 "+over+"; 2.1 "+over] && !answers["2.1 "+over+"; 1.1 "+over] || len(b.sessions) != 0 {
		t.Errorf("answers %v, %d sessions", answers, len(b.sessions))
	}
	b.replying.busy, b.held = 0, false
	b.want(b.say(openMsg(conn(1), 4, `{"kinds":[1]}`, ask)), "4.0 auth-required: these kinds are served to their authors and recipients only")
	b.want(b.say(openMsg(conn(1), 5, `{}`, ask)), "") // waits for the tree
	b.news(b.clock, news{tree: newTree(), entries: &relaypb.Entries{From: 1, Next: uint64(len(b.store.entries) + 1)}})
	b.want(b.run(), "5.0 61")
}

// A scan whose ids are kept for strangers is of no use when the store goes by other
// private kinds.
func TestScanOfOtherKinds(t *testing.T) {
	own, others := policy.Kinds{4, 1059}.Fingerprint(), policy.Kinds{4}.Fingerprint()
	for _, c := range []struct {
		want, got uint64
		err       error
	}{{own, own, nil}, {own, others, errOtherKinds}, {0, others, nil}, {own, 0, nil}} {
		s := &scan{limit: nostr.NoLimit, private: c.want, set: newTree()}
		if err := s.add(&relaypb.ScanReply{Done: true, Private: c.got}); !errors.Is(err, c.err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
