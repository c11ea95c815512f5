// Package top is the live view of a running relay in a terminal. What there is to
// see comes from package status, once a second; a View is that together with what
// the operator has pressed, and Frame makes text of it, without looking anywhere
// else. Run owns the terminal: it takes it over, and gives it back whatever happens.
//
//	status.Watch ── reports ──┐
//	keys of the terminal ─────┼──► Run: view ── Frame ──► terminal
//	its size, looked at ──────┘
//
// The package refuses to know how a relay is reached, and asks nothing of its
// stages.
package top

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"rhea/proto/bus"
	"rhea/rhea/status"
)

// Control sequences of every terminal in use (ECMA-48, and xterm's other screen).
const (
	enter   = "\x1b[?1049h\x1b[?25l" // the other screen, no cursor
	leave   = "\x1b[?25h\x1b[?1049l"
	home    = "\x1b[H"
	endLine = "\x1b[K\r\n"
	endPage = "\x1b[J"
)

// sizeEvery is how often the size of the terminal is looked at.
const sizeEvery = 200 * time.Millisecond

// Run shows the relay on b in the terminal that in and out are, until q is pressed
// or ctx ends. The terminal is afterwards what it was before.
func Run(ctx context.Context, b *bus.Bus, in, out *os.File) (err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer func() {
		_, writing := io.WriteString(out, leave)
		err = errors.Join(err, writing, term.Restore(int(in.Fd()), before))
	}()
	if _, err := io.WriteString(out, enter); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	reports, keys, watched := make(chan status.Report), make(chan byte), make(chan error, 1)
	running.Go(func() { readKeys(ctx, in, keys) })
	running.Go(func() {
		watched <- status.Watch(ctx, b, time.Second, func(r status.Report) bool {
			select {
			case reports <- r:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	return show(ctx, b, out, reports, keys, watched)
}

// show draws whenever something has changed.
func show(ctx context.Context, b *bus.Bus, out *os.File, reports <-chan status.Report, keys <-chan byte, watched <-chan error) error {
	look := time.NewTicker(sizeEvery)
	defer look.Stop()
	var v View
	width, height := 0, 0
	for changed := true; ; {
		if w, h, err := term.GetSize(int(out.Fd())); err == nil && (w != width || h != height) {
			width, height, changed = w, h, true
		}
		if changed {
			if _, err := io.WriteString(out, page(v, width, height)); err != nil {
				return err
			}
		}
		changed = true
		select {
		case <-ctx.Done():
			return nil
		case err := <-watched:
			return err
		case r := <-reports:
			v.hear(r, b.Down() != nil)
		case k, ok := <-keys:
			if !ok || v.press(k) {
				return nil
			}
		case <-look.C:
			changed = false
		}
	}
}

// page is a whole screen, written over the last one so that nothing flickers.
func page(v View, width, height int) string {
	text := home
	for i, line := range v.Frame(width, height) {
		if i > 0 {
			text += endLine
		}
		text += line.ANSI()
	}
	return text + "\x1b[K" + endPage
}

// Once writes one frame as plain text, after about two seconds.
func Once(ctx context.Context, b *bus.Bus, out io.Writer, width int) error {
	var v View
	err := status.Watch(ctx, b, time.Second, func(r status.Report) bool {
		v.hear(r, b.Down() != nil)
		return false
	})
	if err != nil {
		return err
	}
	var text string
	for _, line := range v.Frame(width, 0) {
		text += line.Text() + "\n"
	}
	_, err = io.WriteString(out, text)
	return err
}
