package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/nostr"
)

// How long a transcript waits for a frame that must come, and how long silence
// must last to count.
const (
	cue     = 20 * time.Second
	silence = 400 * time.Millisecond
)

// stage plays one script.
type stage struct {
	t      *testing.T
	script *script
	relay  *relay
	mode   string
	now    int64
	conns  map[string]*actor
	events map[string]*nostr.Event
	keys   map[string]nostr.PubKey
	out    []string // the script as it went
	dirty  bool
}

func newStage(t *testing.T, s *script, r *relay, mode string) *stage {
	return &stage{t: t, script: s, relay: r, mode: mode, now: time.Now().Unix(), conns: map[string]*actor{},
		events: map[string]*nostr.Event{}, keys: map[string]nostr.PubKey{}}
}

var answerLine = regexp.MustCompile(`^([a-z]+)([<~]) (.*)$`)

// play goes through the script; in the end nobody may have anything more to say.
func (s *stage) play() {
	defer func() {
		for _, a := range s.conns {
			a.close()
		}
	}()
	lines := s.script.lines
	for i := 0; i < len(lines); {
		line := lines[i]
		i++
		s.out = append(s.out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var block []string
		for i < len(lines) && answerLine.MatchString(lines[i]) {
			block = append(block, lines[i])
			i++
		}
		said, err := s.command(line)
		if err != nil {
			s.t.Fatalf("%s:%d: %s: %v", s.script.path, i-len(block), line, err)
		}
		if *rewrite {
			s.record(line, block, said)
			continue
		}
		if err := s.expect(block, said); err != nil {
			s.t.Fatalf("%s:%d: %s\n%v", s.script.path, i-len(block), line, err)
		}
	}
	if *rewrite {
		if s.dirty {
			os.WriteFile(s.script.path, []byte(strings.Join(s.out, "\n")+"\n"), 0o644)
		}
		return
	}
	if err := s.quiet(s.names()...); err != nil {
		s.t.Errorf("%s: at the end: %v", s.script.path, err)
	}
}

// expect compares the answers of a block with what comes.
func (s *stage) expect(block, said []string) error {
	for i := 0; i < len(block); i++ {
		m := answerLine.FindStringSubmatch(block[i])
		if m[1] == "http" {
			if len(said) == 0 {
				return fmt.Errorf("want %s\nand the answer ends", block[i])
			}
			if !matches(m[3], said[0]) {
				return fmt.Errorf("want %s\n got http< %s", block[i], said[0])
			}
			said = said[1:]
			continue
		}
		if m[2] == "<" {
			got, err := s.next(m[1])
			if err != nil {
				return fmt.Errorf("want %s\n%w", block[i], err)
			}
			if !matches(m[3], got) {
				return fmt.Errorf("want %s\n got %s< %s", block[i], m[1], got)
			}
			continue
		}
		want := []string{m[3]}
		for i+1 < len(block) && strings.HasPrefix(block[i+1], m[1]+"~ ") {
			i++
			want = append(want, block[i][len(m[1])+2:])
		}
		for len(want) > 0 {
			got, err := s.next(m[1])
			if err != nil {
				return fmt.Errorf("want, in any order, %q\n%w", want, err)
			}
			k := slices.IndexFunc(want, func(w string) bool { return matches(w, got) })
			if k < 0 {
				return fmt.Errorf("want, in any order, %q\n got %s~ %s", want, m[1], got)
			}
			want = slices.Delete(want, k, k+1)
		}
	}
	if len(said) > 0 {
		return fmt.Errorf("want no more\n got http< %s", said[0])
	}
	return nil
}

// record takes what comes, until nothing does, into the script; answers that are
// right stay as they are written.
func (s *stage) record(line string, block, said []string) {
	var got []string
	for _, text := range said {
		got = append(got, "http< "+text)
	}
	names := s.names()
	if first, _, ok := strings.Cut(line, ">"); ok {
		slices.SortStableFunc(names, func(a, b string) int {
			switch {
			case a == b:
				return 0
			case a == first:
				return -1
			case b == first:
				return 1
			}
			return strings.Compare(a, b)
		})
	}
	for _, name := range names {
		for {
			f, ok := s.conns[name].take(silence)
			if !ok {
				break
			}
			got = append(got, name+"< "+s.named(name, f))
		}
	}
	same := len(got) == len(block)
	for i := 0; same && i < len(got); i++ {
		g, w := answerLine.FindStringSubmatch(got[i]), answerLine.FindStringSubmatch(block[i])
		if w[2] == "~" { // in any order: taken as it is when something like it came
			same = slices.ContainsFunc(got, func(g string) bool { return matches(w[1]+"< "+w[3], g) })
			continue
		}
		same = g[1] == w[1] && matches(w[3], g[3])
	}
	if same {
		s.out = append(s.out, block...)
		return
	}
	s.dirty = true
	s.out = append(s.out, got...)
}

// matches compares an answer with what is expected, where … is any text.
func matches(want, got string) bool {
	if !strings.Contains(want, "…") {
		return want == got
	}
	var re strings.Builder
	re.WriteString("(?s)^")
	for i, part := range strings.Split(want, "…") {
		if i > 0 {
			re.WriteString(".*")
		}
		re.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(re.String() + "$").MatchString(got)
}

// next returns the next frame of a connection, with names for what has one.
func (s *stage) next(name string) (string, error) {
	a := s.conns[name]
	if a == nil {
		return "", fmt.Errorf("%s is not open", name)
	}
	f, ok := a.take(cue)
	if !ok {
		return "", fmt.Errorf(" got nothing in %v", cue)
	}
	return s.named(name, f), nil
}

func (s *stage) quiet(names ...string) error {
	<-time.After(silence)
	for _, name := range names {
		if f, ok := s.conns[name].take(0); ok {
			return fmt.Errorf("want silence\n got %s< %s", name, s.named(name, f))
		}
	}
	return nil
}

func (s *stage) names() (names []string) {
	for name := range s.conns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
