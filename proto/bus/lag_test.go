package bus

import (
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/subject"
)

func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Lag
		if l.Check() == nil {
			t.Error("it knows its place before it has one")
		}
		for _, step := range []struct {
			position, head subject.Seq
			seqs           uint64
			behind         time.Duration
			well           bool
		}{
			{10, 10, 0, 0, true},
			{10, 20, 10, 0, true},
			{19, 30, 11, time.Second, true},     // 20 was the head a second ago
			{20, 30, 10, 0, true},               // reached; 30 is the next mark
			{29, 90, 61, time.Second, true},     // each mark is kept until it is reached
			{29, 95, 66, 2 * time.Second, true}, //
			{29, 95, 66, 3 * time.Second, true}, //
			{29, 95, 66, 4 * time.Second, true}, //
			{29, 95, 66, 5 * time.Second, true}, //
			{29, 95, 66, 6 * time.Second, false},
			{95, 95, 0, 0, true},
			{95, 96, 1, 0, true},
			{95, 40, 0, 0, true}, // another store
		} {
			l.Note(time.Now(), step.position, step.head)
			seqs, behind, err := l.Seqs(), l.Behind(time.Now()), l.Check()
			if seqs != step.seqs || behind != step.behind || (err == nil) != step.well {
				t.Errorf("%d of %d: %d Seqs and %s behind, %v", step.position, step.head, seqs, behind, err)
			}
			<-time.After(time.Second)
		}
		l.Forget()
		if l.Check() == nil || l.Seqs() != 0 {
			t.Error("it still knows its place")
		}
	})
}
