package gateway

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

// parseAnswer reads what the bus brings from a command of a transcript.
func parseAnswer(t *testing.T, d *datadriven.TestData) *relaypb.OutInbox {
	num := func(key string) uint64 {
		text := "0"
		d.MaybeScanArgs(t, key, &text)
		n, err := strconv.ParseUint(text, map[bool]int{true: 16, false: 10}[key == "worker" || key == "monitor"], 64)
		if err != nil {
			d.Fatalf(t, "%s: %v", key, err)
		}
		return n
	}
	text := func(key string) string {
		for _, a := range d.CmdArgs {
			if a.Key == key {
				return strings.ReplaceAll(strings.Join(a.Vals, ","), "_", " ")
			}
		}
		return ""
	}
	list := func(key string) (l []string) {
		for _, a := range d.CmdArgs {
			if a.Key == key {
				l = a.Vals
			}
		}
		return l
	}
	switch d.Cmd {
	case "verdict":
		v := &relaypb.Verdict{Key: key(text("key")), Num: num("num"), Outcome: relaypb.Outcome(relaypb.Outcome_value[text("outcome")]), Text: text("text")}
		if id := text("id"); id != "" {
			v.Id, _ = hex.DecodeString(strings.Repeat("0", 64-len(id)) + id)
		}
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}}
	case "part":
		p := &relaypb.Part{Num: num("num"), Worker: uint32(num("worker")), Index: uint32(num("index")), AsOf: num("as-of"),
			Cursor: []byte(text("cursor")), Eose: d.HasArg("eose"), ById: d.HasArg("by-id"), Completeness: relaypb.Completeness(relaypb.Completeness_value[text("all")])}
		for _, id := range list("ids") {
			p.Events = append(p.Events, fmt.Appendf(nil, `{"id":%s%s}`, id, strings.Repeat("~", int(num("size")))))
		}
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}}
	case "closed":
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Closed{Closed: &relaypb.Closed{
			Num: num("num"), Worker: uint32(num("worker")), Text: text("text")}}}
	case "deliver":
		m := &relaypb.Deliveries{Monitor: uint32(num("monitor")), Number: num("number"), Upto: num("upto")}
		for _, e := range list("events") {
			seq, nums, _ := strings.Cut(e, ":")
			one := &relaypb.Delivery{Json: []byte(`{"seq":` + seq + `}`)}
			one.Seq, _ = strconv.ParseUint(seq, 10, 64)
			for n := range strings.SplitSeq(nums, "+") {
				v, _ := strconv.ParseUint(n, 10, 64)
				one.Nums = append(one.Nums, v)
			}
			m.Events = append(m.Events, one)
		}
		for _, n := range list("watching") {
			v, _ := strconv.ParseUint(n, 10, 64)
			m.Watching = append(m.Watching, v)
		}
		for _, n := range list("ended") {
			v, _ := strconv.ParseUint(n, 10, 64)
			m.Ended = append(m.Ended, &relaypb.Ended{Num: v, Text: text("text")})
		}
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: m}}
	case "neg":
		message, _ := hex.DecodeString(text("message"))
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Neg{Neg: &relaypb.NegReply{
			Num: num("num"), Turn: uint32(num("turn")), Message: message, Error: text("error"), Records: num("records")}}}
	case "counted":
		m := &relaypb.Counted{Num: num("num"), Worker: uint32(num("worker")), Count: num("count")}
		if d.HasArg("hll") {
			m.Hll = make([]byte, 256)
		}
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Counted{Counted: m}}
	case "heard":
		return &relaypb.OutInbox{Body: &relaypb.OutInbox_Heard{Heard: &relaypb.Heard{
			Num: num("num"), Monitor: uint32(num("monitor")), Watches: num("watches")}}}
	}
	d.Fatalf(t, "no such command")
	return nil
}

// key returns the public key that a transcript calls by its last digits, nil for "".
func key(text string) []byte {
	if text == "" {
		return nil
	}
	b, _ := hex.DecodeString(strings.Repeat("0", 64-len(text)) + text)
	return b
}

// keys renders public keys by their last digits.
func keys(list [][]byte) string {
	if len(list) == 0 {
		return ""
	}
	var names []string
	for _, k := range list {
		names = append(names, strings.TrimLeft(hex.EncodeToString(k), "0"))
	}
	return " keys=" + strings.Join(names, "+")
}

// source renders where a question comes from, if that is said.
func source(m interface {
	GetSourceType() relaypb.SourceType
	GetSource() string
}) string {
	if m.GetSourceType() == relaypb.SourceType_SOURCE_NONE {
		return m.GetSource()
	}
	return fmt.Sprintf(" from=%s/%s", m.GetSourceType(), m.GetSource())
}

// describe renders a message to the bus.
func describe(m proto.Message) string {
	switch m := m.(type) {
	case *relaypb.IngestInbox:
		if a := m.GetAuth(); a != nil {
			return fmt.Sprintf("auth %d challenge=%.8s… host=%s %s", a.Num, a.Challenge, a.Host, a.Event)
		}
		e := m.GetEvent()
		return fmt.Sprintf("event %d%s%s %s", e.Num, keys(e.Keys), source(e), e.Event)
	case *relaypb.ReqInbox:
		switch b := m.Body.(type) {
		case *relaypb.ReqInbox_Query:
			s := fmt.Sprintf("query %d%s%s granted=%d", b.Query.Num, keys(b.Query.Keys), source(b.Query), b.Query.Granted)
			if b.Query.Count {
				s = fmt.Sprintf("count %d%s%s", b.Query.Num, keys(b.Query.Keys), source(b.Query))
			}
			if len(b.Query.Cursor) > 0 {
				s += fmt.Sprintf(" cursor=%s as-of=%d", b.Query.Cursor, b.Query.AsOf)
			}
			return s + " " + string(b.Query.Filters)
		case *relaypb.ReqInbox_Credit:
			return fmt.Sprintf("credit %d worker=%x granted=%d", b.Credit.Num, b.Credit.Worker, b.Credit.Granted)
		case *relaypb.ReqInbox_Stop:
			return fmt.Sprintf("stop %d", b.Stop.Num)
		}
	case *relaypb.SubInbox:
		switch b := m.Body.(type) {
		case *relaypb.SubInbox_Watch:
			return fmt.Sprintf("watch %d%s after=%d %s", b.Watch.Num, keys(b.Watch.Keys), b.Watch.After, b.Watch.Filters)
		case *relaypb.SubInbox_Unwatch:
			if b.Unwatch.Below {
				return fmt.Sprintf("unwatch below %d", b.Unwatch.Num)
			}
			return fmt.Sprintf("unwatch %d", b.Unwatch.Num)
		}
	case *relaypb.NegInbox:
		switch b := m.Body.(type) {
		case *relaypb.NegInbox_Open:
			return fmt.Sprintf("open %d%s%s %s %x", b.Open.Num, keys(b.Open.Keys), source(b.Open), b.Open.Filter, b.Open.Message)
		case *relaypb.NegInbox_Msg:
			return fmt.Sprintf("msg %d turn=%d %x", b.Msg.Num, b.Msg.Turn, b.Msg.Message)
		case *relaypb.NegInbox_Close:
			return fmt.Sprintf("close %d", b.Close.Num)
		}
	}
	return fmt.Sprintf("unknown %T", m)
}
