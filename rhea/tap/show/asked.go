package show

import (
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
	"rhea/rhea/tap/words"

	"google.golang.org/protobuf/proto"
)

// maxAsked bounds how many questions are remembered: between one and two times it.
const maxAsked = 1 << 18

// question is what an answer names: the gateway by its subject, and the number.
type question struct {
	gateway string
	num     uint64
}

// asked remembers which connections the last questions were of.
type asked struct{ young, old map[question]subject.ConnID }

func newAsked() *asked { return &asked{young: make(map[question]subject.ConnID)} }

// conns returns the connections that a message is about, in the order in which it
// names them, each once, and remembers those of its questions.
func (a *asked) conns(s decode.Said, m proto.Message) (list []subject.ConnID) {
	if conn, ok := words.Conn(m); ok {
		for _, num := range words.Nums(m) {
			a.remember(question{conn.Gateway().String(), num}, conn)
		}
		return []subject.ConnID{conn}
	}
	if s.Inbox != "out" {
		return nil
	}
	seen := make(map[subject.ConnID]bool)
	for _, num := range words.Nums(m) {
		if conn, ok := a.find(question{s.Key, num}); ok && !seen[conn] {
			seen[conn] = true
			list = append(list, conn)
		}
	}
	return list
}

func (a *asked) remember(q question, conn subject.ConnID) {
	if len(a.young) >= maxAsked {
		a.old, a.young = a.young, make(map[question]subject.ConnID)
	}
	a.young[q] = conn
}

func (a *asked) find(q question) (subject.ConnID, bool) {
	conn, ok := a.young[q]
	if !ok {
		conn, ok = a.old[q]
	}
	return conn, ok
}
