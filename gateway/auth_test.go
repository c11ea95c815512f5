package gateway

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// TestChallenges checks that challenges are long, and differ from connection to
// connection and from run to run.
func TestChallenges(t *testing.T) {
	seen := make(map[string]bool)
	for run := range byte(3) {
		c := &core{rules: rules{secret: [32]byte{run}}}
		for n := range uint32(3) {
			cn := &conn{id: subject.MakeConnID(1, n)}
			challenge := c.challengeOf(cn)
			if len(challenge) < 32 || seen[challenge] || challenge != c.challengeOf(cn) {
				t.Errorf("run %d, connection %d: %q", run, n, challenge)
			}
			seen[challenge] = true
		}
	}
}

// TestManyKeys authenticates more keys than a connection may have.
func TestManyKeys(t *testing.T) {
	b := newBench(t)
	b.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Ingester: 1}})
	cn := b.dial("a")
	for i := range maxKeys + 2 {
		b.say(cn, `["AUTH",{"id":"aa"}]`)
		b.core.Handle(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{
			Num: uint64(i + 1), Outcome: relaypb.Outcome_AUTHENTICATED, Key: key(fmt.Sprintf("%02x", i+1)),
		}}})
	}
	if len(cn.keys()) != maxKeys {
		t.Errorf("the connection has %d keys", len(cn.keys()))
	}
	used := b.core.hub.windows.whole.Used()
	b.say(cn, `["EVENT",{}]`)
	if paid := b.core.hub.windows.whole.Used() - used; paid != len("{}")+32*maxKeys {
		t.Errorf("the connection pays %d bytes for an EVENT", paid)
	}
	out := b.output()
	if n := strings.Count(out, `["OK","aa",true,""]`); n != maxKeys {
		t.Errorf("%d were accepted", n)
	}
	if n := strings.Count(out, `["OK","aa",false,"restricted: too many keys are authenticated on this connection"]`); n != 2 {
		t.Errorf("%d were refused", n)
	}
}

func TestHostOf(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for host, want := range map[string]string{
		"Relay.Example.org:7777":       "relay.example.org:7777",
		"[::1]:80":                     "[::1]:80",
		"":                             "",
		"a\xff":                        "",
		strings.Repeat("a", maxHost):   strings.Repeat("a", maxHost),
		strings.Repeat("a", maxHost+1): "",
		strings.Repeat("a", 100_000):   "",
	} {
		if r.Host = host; hostOf(r) != want {
			t.Errorf("%.20q: %.20q", host, hostOf(r))
		}
	}
}

// TestAuthentication has a client authenticate over a real connection, without
// waiting between what it says: its questions come with its key.
func TestAuthentication(t *testing.T) {
	w := newWorld(t)
	w.policy.Auth = policy.AuthRequired
	w.startIngester()
	w.startReqworker()
	w.startMonitor()
	w.commit(stored{"1", privateKind, []byte(testEvent(1, privateKind, "one"))})
	address, m, _ := w.startGateway(nil)
	a := dial(t, address)
	challenge := strings.TrimSuffix(strings.TrimPrefix(a.hear(), `["AUTH","`), `"]`)
	a.say(`["REQ","s",{"kinds":[4]}]`)
	a.want(`["CLOSED","s","auth-required: this relay serves nobody who has not authenticated"]`)

	auth := fmt.Sprintf(`["AUTH",{"id":"%064x","pubkey":"%064x","content":"%s@%s"}]`, 7, 8, challenge, address)
	a.say("%s", strings.ReplaceAll(auth, challenge, "x"))
	a.say("%s", auth)
	a.say(`["REQ","s",{"kinds":[4]}]`)
	a.say(`["COUNT","s",{"kinds":[4]}]`)
	a.want(fmt.Sprintf(`["OK","%064x",false,"invalid: challenge or host"]`, 7))
	a.want(fmt.Sprintf(`["OK","%064x",true,""]`, 7))
	heard := map[string]bool{a.hear(): true, a.hear(): true, a.hear(): true}
	for _, want := range []string{`["EVENT","s",` + testEvent(1, privateKind, "one") + `]`, `["EOSE","s"]`, `["COUNT","s",{"count":1}]`} {
		if !heard[want] {
			t.Errorf("%s is missing in %v", want, heard)
		}
	}
	a.say(`["EVENT",%s]`, testEvent(2, privateKind, "two"))
	heard = map[string]bool{a.hear(): true, a.hear(): true}
	if !heard[`["EVENT","s",`+testEvent(2, privateKind, "two")+`]`] {
		t.Errorf("no live event in %v", heard)
	}
	if n := m.Snapshot()["authenticated"]; n != 1 {
		t.Errorf("%v keys are authenticated", n)
	}
}

// TestKeyForLiveSubscriptions authenticates while a subscription is live.
func TestKeyForLiveSubscriptions(t *testing.T) {
	w := newWorld(t)
	w.policy.Auth = policy.AuthOnConnect
	w.startIngester()
	w.startReqworker()
	w.startMonitor()
	address, _, _ := w.startGateway(nil)
	a, author := dial(t, address), dial(t, address)
	challenge := strings.TrimSuffix(strings.TrimPrefix(a.hear(), `["AUTH","`), `"]`)
	author.hear()
	a.say(`["REQ","s",{"kinds":[1,4]}]`)
	a.want(`["EOSE","s"]`)
	publish := func(id, kind int) {
		author.say(`["EVENT",%s]`, testEvent(id, kind, "x"))
		author.want(fmt.Sprintf(`["OK","%064x",true,""]`, id))
	}
	publish(1, privateKind)
	publish(2, 1)
	a.want(`["EVENT","s",` + testEvent(2, 1, "x") + `]`)
	a.say(`["AUTH",{"id":"%064x","pubkey":"%064x","content":"%s@%s"}]`, 7, 8, challenge, address)
	a.want(fmt.Sprintf(`["OK","%064x",true,""]`, 7))
	publish(3, privateKind)
	publish(4, 1)
	a.want(`["EVENT","s",` + testEvent(3, privateKind, "x") + `]`)
	a.want(`["EVENT","s",` + testEvent(4, 1, "x") + `]`)
}
