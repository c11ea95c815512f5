package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"rhea/rhea/importer"
)

// isTerminal says whether w is a terminal: a character device, and not the one
// that swallows everything.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// Control sequences of every terminal in use (ECMA-48).
const (
	clearLine   = "\r\x1b[K"
	clearScreen = "\x1b[H\x1b[J"
)

// bar is a line of progress that stays at the bottom of a terminal. It belongs to
// one goroutine.
type bar struct {
	w        io.Writer
	terminal bool
	started  time.Time
	shown    bool
}

func newBar(w io.Writer) *bar {
	return &bar{w: w, terminal: isTerminal(w), started: time.Now()}
}

func (b *bar) show(p importer.Progress) {
	lines := p.Result.Lines()
	took := time.Since(b.started)
	rate := float64(lines) / took.Seconds()
	b.text(fmt.Sprintf("%s events, %s/s · %s accepted, %s rejected · %s in flight%s",
		importer.Thousands(lines), importer.Thousands(int(rate)), importer.Thousands(p.Result.Accepted+p.Result.Found),
		importer.Thousands(p.Result.Rejections()+p.Result.TooLong), importer.Thousands(p.Waiting), remaining(p.Read, p.Size, took)))
}

// events shows how many events have been written.
func (b *bar) events(n int) {
	rate := float64(n) / time.Since(b.started).Seconds()
	b.text(fmt.Sprintf("%s events, %s/s", importer.Thousands(n), importer.Thousands(int(rate))))
}

func (b *bar) text(line string) {
	fmt.Fprint(b.w, clearLine+line)
	b.shown = true
}

// remaining says how far the files are read and how long the rest will take at this
// pace, or nothing while that cannot be known.
func remaining(read, size int64, took time.Duration) string {
	if size == 0 || read == 0 {
		return ""
	}
	left := time.Duration(float64(took) * float64(size-read) / float64(read))
	return fmt.Sprintf(" · %d %%, %s left", 100*read/size, max(left, 0).Round(time.Second))
}

// above prints a line that stays.
func (b *bar) above(text string) {
	b.clear()
	fmt.Fprintln(b.w, text)
}

func (b *bar) clear() {
	if b.shown {
		fmt.Fprint(b.w, clearLine)
		b.shown = false
	}
}
