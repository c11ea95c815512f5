// Package frame is the JSON arrays that a client and a relay exchange (NIP-01,
// NIP-42, NIP-45, NIP-77). Of what a client says it reads the verb and the
// subscription id and nothing else: the rest stays raw bytes, checked by the
// stage that it is meant for. What the relay says is appended to buffers, so
// that an event encoded once goes to every socket unchanged.
//
// It refuses to know what filters and events mean, and has no state.
package frame
