// Package secp is the arithmetic of secp256k1 that verification needs: the
// field, the scalars, points, s·G + e·P for one signature and the sum of many
// multiples for a batch of them.
//
// It owns nothing secret. Everything runs in variable time, so nobody may sign
// or derive keys with it. It refuses to know any signature scheme.
//
// A number is four 64-bit limbs, the lowest first. A Field holds any value
// below 2²⁵⁶, reduced or not, and every operation takes and leaves such values,
// so there are no magnitudes to keep account of (libsecp256k1's 5×52 limbs
// save carries and need that account; with MULX, ADCX and ADOX 4×64 is faster).
// A Scalar is always reduced.
//
// The group law here is exact in all cases: equal points, opposite points and
// infinity give what the curve says, because foreign keys and nonces can make
// any of them meet.
//
// All functions are safe for concurrent use on different values; an Adder
// belongs to one goroutine.
//
// Sources: libsecp256k1's doc and ecmult_impl.h (interleaved wNAF, endomorphism,
// effective affine tables), the Explicit-Formulas Database for Jacobian
// coordinates with a = 0, Gallant, Lambert and Vanstone 2001 for the
// endomorphism, Montgomery's trick for shared inversions.
package secp
