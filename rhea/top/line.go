package top

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is how a piece of text looks, as the parameter of an SGR sequence
// (ECMA-48, 8.3.117).
type style string

const (
	plain  style = ""
	strong style = "1"
	faint  style = "2"
	bad    style = "1;31"
	warm   style = "33"
	good   style = "32"
	bar    style = "7"
)

// Line is one line of the screen: pieces of text, each with a style.
type Line []piece

type piece struct {
	text  string
	style style
}

// add appends text. It may come from the bus: what is no printable character is
// left out, so that nobody's name moves the cursor.
func (l Line) add(s style, text string) Line {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return append(l, piece{clean, s})
}

// width is in characters.
func (l Line) width() (n int) {
	for _, p := range l {
		n += utf8.RuneCountInString(p.text)
	}
	return n
}

// fit cuts the line to a width.
func (l Line) fit(width int) Line {
	var fitting Line
	for _, p := range l {
		if n := utf8.RuneCountInString(p.text); n > width {
			p.text = string([]rune(p.text)[:max(0, width)])
		}
		width -= utf8.RuneCountInString(p.text)
		fitting = append(fitting, p)
	}
	return fitting
}

// Text is the line without its styles, and without blanks at its end.
func (l Line) Text() string {
	var b strings.Builder
	for _, p := range l {
		b.WriteString(p.text)
	}
	return strings.TrimRight(b.String(), " ")
}

// ANSI is the line for a terminal.
func (l Line) ANSI() string {
	var b strings.Builder
	for _, p := range l {
		if p.style == plain {
			b.WriteString(p.text)
			continue
		}
		b.WriteString("\x1b[" + string(p.style) + "m" + p.text + "\x1b[m")
	}
	return b.String()
}
