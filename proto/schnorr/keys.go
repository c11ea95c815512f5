package schnorr

import (
	"encoding/binary"
	"sync/atomic"

	"rhea/proto/schnorr/secp"
)

// Keys remembers public keys with their y coordinate, whose square root need
// then not be taken again. The zero value and nil remember nothing and are
// valid. It is safe for concurrent use, and shared by the Verifiers of a
// process.
//
// The memory is a table of one key per slot, without locks or lists: a key
// replaces the one before it. Only the author of a valid signature gets a
// slot, so forgeries cannot empty the table.
type Keys struct {
	slots []atomic.Pointer[liftedKey]
}

type liftedKey struct {
	bytes [32]byte
	point secp.Affine
}

// NewKeys returns a Keys with room for the given number of keys, at about 100
// bytes each once used; zero or fewer means none.
func NewKeys(n int) *Keys {
	return &Keys{slots: make([]atomic.Pointer[liftedKey], max(n, 0))}
}

// Verify reports what the function Verify reports.
func (k *Keys) Verify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	var p secp.Affine
	known := k.lift(&p, pubkey)
	if !known && !p.LiftX(pubkey) || !verifyPoint(&p, pubkey, msg, sig) {
		return false
	}
	if !known {
		k.remember(&p, pubkey)
	}
	return true
}

// slot returns where pubkey is if it is remembered, nil if nothing is. The last
// bytes of the key choose: authors mine keys for a readable beginning.
func (k *Keys) slot(pubkey *[32]byte) *atomic.Pointer[liftedKey] {
	if k == nil || len(k.slots) == 0 {
		return nil
	}
	return &k.slots[binary.LittleEndian.Uint64(pubkey[24:])%uint64(len(k.slots))]
}

// lift sets p to the point of pubkey if that is remembered.
func (k *Keys) lift(p *secp.Affine, pubkey *[32]byte) bool {
	slot := k.slot(pubkey)
	if slot == nil {
		return false
	}
	key := slot.Load()
	if key == nil || key.bytes != *pubkey {
		return false
	}
	*p = key.point
	return true
}

// remember gives pubkey its slot. It is called for authors of valid signatures.
func (k *Keys) remember(p *secp.Affine, pubkey *[32]byte) {
	if slot := k.slot(pubkey); slot != nil {
		slot.Store(&liftedKey{*pubkey, *p})
	}
}
