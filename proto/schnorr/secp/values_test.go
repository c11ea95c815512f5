package secp

import "encoding/binary"

// Bytes returns x, reduced, in big-endian order.
func (x *Field) Bytes() (b [32]byte) {
	r := x.reduced()
	for i := range r {
		binary.BigEndian.PutUint64(b[24-8*i:], r[i])
	}
	return b
}

// Scalar returns s modulo n.
func (s *Short) Scalar() Scalar {
	z := Scalar{s.Abs[0], s.Abs[1]}
	if s.Neg {
		z.Neg(&z)
	}
	return z
}
