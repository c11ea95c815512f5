package decode

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

func joined(t *testing.T, messages ...proto.Message) []byte {
	t.Helper()
	var bodies [][]byte
	for _, m := range messages {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bus.Join(time.Unix(7, 8), bodies...)
}

// Every subject of the deployment has its kind of message, and whoever adds an inbox
// to the contract is told to add it here.
func TestEveryInbox(t *testing.T) {
	space, err := subject.New("a.b", 16)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for subj, m := range map[string]proto.Message{
		space.Ingest(3):                     &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Num: 1}}},
		space.Write():                       &relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: &relaypb.Admitted{Num: 1}}},
		space.Req(0):                        &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Num: 1}}},
		space.Sub(0):                        &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Num: 1}}},
		space.Neg(0):                        &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: &relaypb.NegOpen{Num: 1}}},
		space.Out(5):                        &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 1}}},
		space.Scan():                        &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: &relaypb.Scan{AsOf: 1}}},
		space.Log():                         &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{Store: 1}}},
		space.LogFetch():                    &relaypb.LogFetch{From: 1},
		space.Member(subject.Writer):        &relaypb.Member{Stage: "writer"},
		space.Hello():                       &relaypb.Hello{},
		space.Up():                          &relaypb.UpInbox{Body: &relaypb.UpInbox_Restart{Restart: &relaypb.Restart{Num: 1}}},
		space.Replies("reqworker") + ".x.y": &relaypb.ScanReply{AsOf: 3, Done: true},
		space.Replies("monitor") + ".x.y":   &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{Error: "e"}}},
	} {
		s := Message("a.b", subj, joined(t, m, m))
		if s.Err != nil || len(s.Messages) != 2 || !proto.Equal(s.Messages[1], m) || !s.Sent.Equal(time.Unix(7, 8)) {
			t.Errorf("%s: %+v", subj, s)
			continue
		}
		name := m.ProtoReflect().Descriptor().Name()
		seen[string(name)] = true
		if inner := Body(m).ProtoReflect().Descriptor().Name(); strings.HasSuffix(string(inner), "Inbox") {
			t.Errorf("the body of %s is %s", name, inner)
		}
	}
	for _, f := range []protoreflect.FileDescriptor{
		relaypb.File_ingest_proto, relaypb.File_write_proto, relaypb.File_req_proto, relaypb.File_sub_proto, relaypb.File_neg_proto,
		relaypb.File_out_proto, relaypb.File_scan_proto, relaypb.File_log_proto,
	} {
		for i := range f.Messages().Len() {
			if name := string(f.Messages().Get(i).Name()); strings.HasSuffix(name, "Inbox") && !seen[name] {
				t.Errorf("%s is not decoded", name)
			}
		}
	}
}

func TestForeign(t *testing.T) {
	good := &relaypb.LogFetch{From: 1}
	for name, s := range map[string]Said{
		"another prefix":   Message("b", "a.v1.log.fetch", joined(t, good)),
		"an unknown inbox": Message("a", "a.v1.new.3", joined(t, good)),
		"half a batch":     Message("a", "a.v1.log.fetch", append(joined(t, good), 99)),
		"not the contract": Message("a", "a.v1.out.00000001", bus.Join(time.Now(), []byte("\xff\xff"))),
		"text":             Message("a", "a.v1.write", []byte("hello")),
	} {
		if s.Err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := Message("a", "a.v1.log.fetch", append(joined(t, good), 99)); len(s.Messages) != 1 {
		t.Errorf("what stands before a broken rest is lost: %+v", s)
	}
	if m := (&relaypb.OutInbox{}); Body(m) != m {
		t.Error("an envelope without a known body")
	}
}
