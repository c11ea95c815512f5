// Package schnorr checks and makes the signatures of Nostr events: BIP-340
// Schnorr signatures over secp256k1 with x-only public keys (NIP-01).
//
// It owns the signature scheme alone: tagged hashes, the rules for accepting
// bytes, and the equation R = s·G − e·P. The arithmetic of verification is
// package secp, that of signing is decred's. (decred's own schnorr package
// implements another scheme, EC-Schnorr-DCRv0, whose signatures are not those
// of BIP-340.) The package refuses to know what was signed: a caller passes the
// 32 bytes of an event id and has checked that id itself.
//
// Verification takes foreign bytes and never panics on any; every defect of a
// signature, key or message has the same answer, false, because a client can
// do nothing different about one or the other. It runs in variable time, which
// is harmless, since all it sees is public.
//
// Many signatures cost less together: a Verifier sums the equations of a batch
// with weights nobody can foresee, as BIP-340 describes. Its verdicts are those
// of single verification, signature by signature.
//
// Signing runs in variable time too, so a secret could leak to whoever can
// time it closely. It exists for tests, benchmarks and load clients, whose
// keys guard nothing. A relay does not sign.
package schnorr
