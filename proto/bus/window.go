package bus

// Window bounds the bytes that a sender has in flight until they are answered.
// The zero value lets nothing through. It belongs to one goroutine.
type Window struct {
	Limit int // bytes
	used  int
}

// Take claims n bytes and says whether they fit. Something larger than the whole
// window fits when nothing else is in flight.
func (w *Window) Take(n int) bool {
	if w.used > 0 && w.used+n > w.Limit || w.Limit <= 0 {
		return false
	}
	w.used += n
	return true
}

// Give returns n bytes that Take claimed.
func (w *Window) Give(n int) { w.used -= n }

// Used is how many bytes are in flight.
func (w *Window) Used() int { return w.used }

// Full says whether the window lets nothing more through for now.
func (w *Window) Full() bool { return w.used >= w.Limit }
