package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the relay answers into the transcripts that differ from it")

// TestTranscripts plays testdata/nips against real processes: each file proves
// the sentences of a NIP that it quotes, as text in and text out.
//
// A file is a list of lines. Blank lines and those that begin with # are for the
// reader. The others are commands, each followed by what the relay says to it:
//
//	relay KEY=VALUE …     first line only: settings, such as policy.auth=needed;
//	                      "fresh" for a relay that no other file uses
//	open A …              connects; the challenge that greets a client is kept as $A.challenge
//	connect A …           connects; what the relay says first is part of the transcript
//	drop A                disconnects
//	event NAME k=v …      defines an event (see parseEvent)
//	publish A NAME …      EVENTs, each of which must be accepted
//	auth A KEY …          AUTHs, each of which must be accepted
//	A> TEXT               sends a frame
//	A< TEXT               the next frame to come on A
//	A~ TEXT               one of the next frames, with its neighbours in any order
//	A< closed CODE        the relay has closed the connection
//	quiet A …             nothing comes for a while
//	now                   makes this moment the $now of what follows
//	until TIME            waits for a time, such as $now+3
//	http> METHOD PATH | HEADER: VALUE | …
//	http< TEXT            a line of the answer: status, headers that matter, JSON
//	restart KEY=VALUE …   the relay of a fresh file, stopped and started with other settings
//
// In what is sent, $NAME is the JSON of an event and $NAME.id, .pubkey, .sig and
// .created_at are parts of it; $KEY is the public key of a key; $now is the time
// at which the file began and $now-60 a minute before it; $A.challenge is a
// challenge, $url and $host are the relay's, ${x*9} is xxxxxxxxx. In what is
// received they stand for the same; … stands for any text. Keys belong to a
// file, so that files can share a relay.
//
// A file ends with silence on all its connections. -rewrite fills in answers.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/nips/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	groups := map[string][]*script{}
	for _, path := range files {
		s := readScript(t, path)
		groups[s.settings] = append(groups[s.settings], s)
	}
	var all []string
	for settings := range groups {
		all = append(all, settings)
	}
	slices.Sort(all)
	var playing sync.WaitGroup
	room := make(chan struct{}, 3) // relays at a time; they mostly wait
	for _, settings := range all {
		modes := []string{"up"}
		if settings == "" && !*rewrite {
			modes = append(modes, "solo")
		}
		for _, mode := range modes {
			room <- struct{}{}
			playing.Go(func() {
				defer func() { <-room }()
				t.Run(strings.TrimSpace(mode+" "+settings), func(t *testing.T) {
					playAll(t, start(t, mode, "", nil, environment(settings)...), mode, groups[settings])
				})
			})
		}
	}
	playing.Wait()
}

// playAll plays the scripts that share a relay, all at the same time.
func playAll(t *testing.T, r *relay, mode string, scripts []*script) {
	var playing sync.WaitGroup
	for _, s := range scripts {
		playing.Go(func() {
			t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txt"), func(t *testing.T) {
				newStage(t, s, r, mode).play()
			})
		})
	}
	playing.Wait()
}

// script is a transcript's file.
type script struct {
	path     string
	settings string // as in its relay line, with the file's name when it is fresh
	lines    []string
}

func readScript(t *testing.T, path string) *script {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{path: path, lines: strings.Split(strings.TrimRight(string(text), "\n"), "\n")}
	for _, line := range s.lines {
		word, rest, _ := strings.Cut(line, " ")
		if word == "relay" {
			s.settings = strings.TrimSpace(rest)
			if slices.Contains(strings.Fields(rest), "fresh") {
				s.settings += " in=" + strings.TrimSuffix(filepath.Base(path), ".txt")
			}
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			break
		}
	}
	return s
}

// environment makes RHEA_POLICY_AUTH=needed of policy.auth=needed. Values have no
// spaces; what is no setting is left out.
func environment(settings string) (env []string) {
	for field := range strings.FieldsSeq(settings) {
		key, value, ok := strings.Cut(field, "=")
		if ok && strings.Contains(key, ".") {
			env = append(env, "RHEA_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
		}
	}
	return env
}
