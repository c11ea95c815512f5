package bus

import (
	"testing"
	"time"

	"rhea/proto/subject"
)

func TestAbsent(t *testing.T) {
	var a Absent
	start := time.Unix(1000, 0)
	dead := map[subject.Instance]bool{2: true, 3: true}
	alive := func(i subject.Instance) bool { return !dead[i] }
	want := func(at int, one, two, three bool) {
		t.Helper()
		now := start.Add(time.Duration(at) * time.Second)
		for id, gone := range map[subject.Instance]bool{1: one, 2: two, 3: three} {
			if a.For(id, now, 3*time.Second) != gone {
				t.Errorf("after %d s: %d absent: %v", at, id, !gone)
			}
		}
	}
	note := func(at int, ids ...subject.Instance) {
		set := make(map[subject.Instance]bool)
		for _, id := range ids {
			set[id] = true
		}
		a.Note(start.Add(time.Duration(at)*time.Second), set, alive)
	}
	want(9, false, false, false)
	note(0, 1, 2)
	note(1, 1, 2, 3)
	want(2, false, false, false)
	want(3, false, true, false)
	want(4, false, true, true)
	delete(dead, 2) // it was only silent
	note(5, 1, 2, 3)
	want(5, false, false, true)
	dead[2] = true
	note(6, 2)
	want(8, false, false, false)
	want(9, false, true, false)
}
