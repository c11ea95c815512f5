package schnorr

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
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
	x [32]byte
	y secp256k1.FieldVal
}

// NewKeys returns a Keys with room for the given number of keys, at about 90
// bytes each once used; zero or fewer means none.
func NewKeys(n int) *Keys {
	return &Keys{slots: make([]atomic.Pointer[liftedKey], max(n, 0))}
}

// Verify reports what the function Verify reports.
func (k *Keys) Verify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	if k == nil || len(k.slots) == 0 {
		return Verify(pubkey, msg, sig)
	}
	// The last bytes of the key choose the slot: authors mine keys for a
	// readable beginning.
	slot := &k.slots[binary.LittleEndian.Uint64(pubkey[24:])%uint64(len(k.slots))]
	if key := slot.Load(); key != nil && key.x == *pubkey {
		p := secp256k1.JacobianPoint{Y: key.y}
		p.X.SetBytes(pubkey)
		p.Z.SetInt(1)
		return verifyPoint(&p, pubkey, msg, sig)
	}
	var p secp256k1.JacobianPoint
	if !liftX(&p, pubkey) || !verifyPoint(&p, pubkey, msg, sig) {
		return false
	}
	slot.Store(&liftedKey{x: *pubkey, y: p.Y})
	return true
}
