package subject

// Traffic is what one kind of process says and hears on the bus: patterns of
// subjects, * for one token and > for all that follow.
type Traffic struct {
	Publish, Subscribe []string
}

// The roles that are no stages, for the permissions of rhea's commands.
const (
	// Operator looks on: rhea status, scan, export, top, record, trace.
	Operator = "operator"
	// Importer publishes events as a gateway does: rhea import.
	Importer = "importer"
)

// Roles lists everybody who has business on the bus of a deployment: the stages,
// and those who run commands.
func Roles() []string {
	var roles []string
	for _, st := range Stages() {
		roles = append(roles, string(st))
	}
	return append(roles, Operator, Importer)
}

// Traffic returns all that a role says and hears: what its credential permits, and
// no more than it needs. It is empty for a role that is none.
func (s Space) Traffic(role string) Traffic {
	sharded := func(inbox string) string { return s.root + inbox + ".*" }
	out := s.root + "out.*"
	var t Traffic
	switch role {
	case string(Gateway):
		t.Publish = []string{sharded("ingest"), sharded("req"), sharded("sub"), sharded("neg")}
		t.Subscribe = []string{out}
	case string(Ingester):
		t.Publish = []string{s.Write(), out}
		t.Subscribe = []string{sharded("ingest")}
	case string(Writer):
		t.Publish = []string{out, s.Log(), s.Replies(">")}
		t.Subscribe = []string{s.Write(), s.Scan(), s.LogFetch()}
	case string(Reqworker):
		t.Publish = []string{s.Scan(), out}
		t.Subscribe = []string{sharded("req")}
	case string(Monitor):
		t.Publish = []string{s.LogFetch(), out}
		t.Subscribe = []string{sharded("sub"), s.Log()}
	case string(Negentropy):
		t.Publish = []string{s.Scan(), s.LogFetch(), out}
		t.Subscribe = []string{sharded("neg"), s.Log()}
	case Operator:
		return Traffic{Publish: []string{s.Hello(), s.Scan(), s.LogFetch()}, Subscribe: []string{s.All()}}
	case Importer:
		return Traffic{Publish: []string{s.Hello(), sharded("ingest")}, Subscribe: []string{s.Members(), out}}
	default:
		return Traffic{}
	}
	// Every stage is in the roster.
	t.Publish = append(t.Publish, s.Hello(), s.Member(Stage(role)))
	t.Subscribe = append(t.Subscribe, s.Hello(), s.Members(), s.Replies(role)+".>")
	return t
}
