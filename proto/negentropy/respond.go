package negentropy

// Respond appends the server's answer to a message and returns the extended
// slice. The answer is at most maxSize bytes long; 0 is no limit, and a limit
// below MinSize is MinSize. A message of another protocol version is answered
// with the version that is spoken here. The error is an *Error, and then nothing
// has been appended.
func Respond(dst []byte, set Set, msg []byte, maxSize int) ([]byte, error) {
	if len(msg) > 0 && msg[0] != Version {
		return append(dst, Version), nil
	}
	w := newWriter(dst, set, maxSize)
	if err := w.answer(msg, w.listOwn); err != nil {
		return dst, err
	}
	return w.buf, nil
}

// listOwn answers a range that was sent as ids with the ids of the same range:
// the other party finds the differences. As many ids are sent as fit, and one
// more.
func (w *writer) listOwn(from, to int, s span) {
	end := s.end
	if w.limit > 0 {
		if fit := (w.limit-w.size())/idSize + 1; fit < to-from {
			to = from + fit
			end = Just(w.set.Item(to))
		}
	}
	w.writeSkip()
	w.ids(from, to, end)
	if w.over() {
		w.finish(to)
	}
}
