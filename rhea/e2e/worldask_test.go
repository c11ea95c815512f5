package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// filters returns those of a step as the relay gets them.
func (w *world) filters(s step) (text string, list [][]byte) {
	text = w.fill(s.text)
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte("["+text+"]"), &raw); err != nil {
		panic(fmt.Sprintf("%v: %v", s, err))
	}
	for _, r := range raw {
		list = append(list, r)
	}
	return text, list
}

// query is a REQ; a query closes it afterwards, a subscription listens on.
func (w *world) query(c *speaker, s step) error {
	text, filters := w.filters(s)
	if s.op == "subscribe" {
		mark := w.markFilter(s.conn)
		text, filters = text+","+mark, append(filters, []byte(mark))
	}
	id := fmt.Sprint("q", s.n)
	before := time.Now().Unix()
	c.send(fmt.Sprintf(`["REQ",%q,%s]`, id, text))
	parts, err := c.until("EOSE CLOSED", id)
	if err != nil {
		return err
	}
	if done, err := refused(parts, w.model.Refuses(c.keys, filters...)); done || err != nil {
		return err
	}
	got := c.got[id]
	ok := false
	var want []string
	for _, now := range []int64{before, time.Now().Unix()} {
		want = idStrings(w.model.Query(c.keys, now, filters...))
		ok = ok || slices.Equal(got, want)
	}
	if !ok {
		return fmt.Errorf("got %s\nwant %s", w.names(got), w.names(want))
	}
	if len(parts) > 2 {
		w.hints++
		hint := strings.Trim(string(parts[2]), `[]"`)
		if a, b := w.model.Hint(c.keys, before, filters...), w.model.Hint(c.keys, time.Now().Unix(), filters...); hint != a && hint != b {
			return fmt.Errorf("hint %q, want %q", hint, a)
		}
	}
	if s.op == "query" {
		c.send(fmt.Sprintf(`["CLOSE",%q]`, id))
		return nil
	}
	c.subs = append(c.subs, &listening{id: id, filters: filters, stored: len(got)})
	if s.n%2 == 0 {
		return nil // what comes next meets a subscription that may not be registered
	}
	return w.settle(s.conn)
}

func (w *world) count(c *speaker, s step) error {
	text, filters := w.filters(s)
	id := fmt.Sprint("c", s.n)
	before := time.Now().Unix()
	c.send(fmt.Sprintf(`["COUNT",%q,%s]`, id, text))
	parts, err := c.until("COUNT CLOSED", id)
	if err != nil {
		return err
	}
	if done, err := refused(parts, w.model.Refuses(c.keys, filters...)); done || err != nil {
		return err
	}
	var got struct {
		Count int
		HLL   string
	}
	if err := json.Unmarshal(parts[2], &got); err != nil {
		return err
	}
	var wants []string
	for _, now := range []int64{before, time.Now().Unix()} {
		n, hll := w.model.Count(c.keys, now, filters...), ""
		if len(filters) == 1 {
			hll = w.model.HLL(c.keys, now, filters[0])
		}
		if got.Count == n && got.HLL == hll {
			return nil
		}
		wants = append(wants, fmt.Sprint(n, " ", hll))
	}
	return fmt.Errorf("count %d %s, want %q", got.Count, got.HLL, wants)
}

// negotiate opens a negentropy session without having anything, so that the answer
// lists the relay's set.
func (w *world) negotiate(c *speaker, s step) error {
	text, filters := w.filters(s)
	id := fmt.Sprint("n", s.n)
	before := time.Now().Unix()
	var parts []json.RawMessage
	for tries := 0; ; tries++ {
		c.send(fmt.Sprintf(`["NEG-OPEN",%q,%s,"6100000200"]`, id, text))
		var err error
		if parts, err = c.until("NEG-MSG NEG-ERR", id); err != nil {
			return err
		}
		// A session dies with the process that has it, and its client starts over.
		if w.fire == nil || tries == 5 || !strings.HasPrefix(string(parts[2]), `"closed:`) {
			break
		}
	}
	if done, err := refused(parts, w.model.Refuses(c.keys, filters...)); done || err != nil {
		return err
	}
	c.send(fmt.Sprintf(`["NEG-CLOSE",%q]`, id))
	var msg string
	json.Unmarshal(parts[2], &msg)
	var want []string
	for _, now := range []int64{before, time.Now().Unix()} {
		want = idStrings(w.model.Set(c.keys, now, filters[0]))
		n := fmt.Sprintf("%02x", len(want))
		if len(want) > 127 {
			n = fmt.Sprintf("%02x%02x", 0x80|len(want)>>7, len(want)&0x7f)
		}
		if msg == "61000002"+n+strings.Join(want, "") {
			return nil
		}
	}
	var got []string
	for rest := msg; len(rest) >= 64; rest = rest[:len(rest)-64] {
		got = slices.Insert(got, 0, rest[len(rest)-64:])
	}
	return fmt.Errorf("got %s\nwant %s", w.names(got), w.names(want))
}

// refused compares a refusal with the one that is expected.
func refused(parts []json.RawMessage, want string) (bool, error) {
	var verb, text string
	json.Unmarshal(parts[0], &verb)
	if verb != "CLOSED" && verb != "NEG-ERR" {
		if want != "" {
			return true, fmt.Errorf("answered; want it refused: %s", want)
		}
		return false, nil
	}
	json.Unmarshal(parts[2], &text)
	if prefix, _, _ := strings.Cut(text, ":"); prefix != want {
		return true, fmt.Errorf("refused: %q, want %q", text, want)
	}
	return true, nil
}
