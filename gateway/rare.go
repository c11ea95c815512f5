package gateway

import "time"

// rare is what few connections have: a pointer in each of the others is all that it
// takes.
type rare struct {
	counts   []*count
	sessions []*session
	keys     [][]byte  // public keys that the client has authenticated; only added to
	starved  []uint64  // queries that wait for a grant, in order
	left     time.Time // when it was to be read no further; see leave
}

// rarely returns a connection's, to be changed.
func (cn *conn) rarely() *rare {
	if cn.rare == nil {
		cn.rare = new(rare)
	}
	return cn.rare
}

func (cn *conn) counts() []*count {
	if cn.rare == nil {
		return nil
	}
	return cn.rare.counts
}

func (cn *conn) sessions() []*session {
	if cn.rare == nil {
		return nil
	}
	return cn.rare.sessions
}

func (cn *conn) keys() [][]byte {
	if cn.rare == nil {
		return nil
	}
	return cn.rare.keys
}

func (cn *conn) starved() []uint64 {
	if cn.rare == nil {
		return nil
	}
	return cn.rare.starved
}

func (cn *conn) left() time.Time {
	if cn.rare == nil {
		return time.Time{}
	}
	return cn.rare.left
}
