package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

func TestStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stalls{began: time.Now()}
		expect := func(count int64, lasted time.Duration) {
			t.Helper()
			if s.count.Load() != count || s.lasted() != lasted {
				t.Errorf("%d stalls, %s, want %d, %s", s.count.Load(), s.lasted(), count, lasted)
			}
		}
		wait := func() { <-time.After(time.Second) }
		wait()
		expect(0, 0)
		s.begin(pebble.WriteStallBeginInfo{})
		wait()
		expect(1, time.Second)
		s.end()
		wait()
		expect(1, time.Second)
		s.begin(pebble.WriteStallBeginInfo{})
		wait()
		s.end()
		expect(2, 2*time.Second)
	})
}
