package up

import (
	"bytes"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// maxLine bounds a line of a child's output in bytes; the rest of a longer one is
// left out.
const maxLine = 16 << 10

// lines forwards a child's output by lines. A line that the child's logger made
// names its stage already and passes as it is; any other (a panic, a usage
// error) is logged with the child's name. Its methods are safe for concurrent
// use, since a child has two outputs.
type lines struct {
	stage string // as the child's logger writes it
	name  string
	to    io.Writer // takes whole lines
	log   *slog.Logger

	mu   sync.Mutex
	part []byte // of the line that is coming
	cut  bool   // the rest of that line is left out
	said string // the last line that tells why a child fails
}

// Write takes output as it comes. It never fails: a child is not to die of a
// terminal that is gone.
func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(data)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		piece := data
		if end >= 0 {
			piece, data = data[:end], data[end+1:]
		} else {
			data = nil
		}
		if room := maxLine - len(l.part); len(piece) > room {
			piece, l.cut = piece[:room], true
		}
		l.part = append(l.part, piece...)
		if end >= 0 {
			l.line()
		}
	}
	return n, nil
}

// end forwards an unfinished line and returns the child's reason to fail, which
// is forgotten.
func (l *lines) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.line()
	}
	said := l.said
	l.said = ""
	return said
}

func (l *lines) line() {
	if l.cut {
		l.part = append(l.part, " …"...)
	}
	line := strings.TrimRight(string(l.part), "\r")
	l.part, l.cut = l.part[:0], false
	if line == "" {
		return
	}
	if message, isError, ok := l.logged(line); ok {
		if isError {
			l.said = cause(message)
		}
		io.WriteString(l.to, line+"\n") // see Write about failing
		return
	}
	if l.said == "" { // of a panic, the first line says most
		l.said = line
	}
	l.log.Error(strings.ReplaceAll(line, "\t", "    "), "from", l.name)
}

// logged recognises a line of package stage's loggers, text and JSON.
func (l *lines) logged(line string) (message string, isError, ok bool) {
	if strings.HasPrefix(line, `{"time":`) {
		return line, strings.Contains(line, `"level":"ERROR"`), true
	}
	head, rest, found := strings.Cut(line, " "+l.stage+"/")
	if !found || strings.Count(head, "T") == 0 || len(head) > len("2006-01-02T15:04:05.000Z ERROR+4") {
		return "", false, false
	}
	_, message, _ = strings.Cut(rest, " ")
	return message, strings.Contains(head, " ERROR"), true
}

// cause takes the error out of a logged message: of `failed err="no store"` what
// the operator needs is "no store".
func cause(message string) string {
	_, text, ok := strings.Cut(message, "err=")
	if !ok {
		return message
	}
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		if plain, err := strconv.Unquote(quoted); err == nil {
			return plain
		}
	}
	return text
}
