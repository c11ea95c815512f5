package up

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// A death is known to all without any silence, even when the dead process's
// first words arrive after it.
func TestMourner(t *testing.T) {
	space, err := subject.New("test", 16)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	synctest.Test(t, func(t *testing.T) {
		memory := bus.NewMemory()
		join := func() (*bus.Bus, *bus.Roster) {
			b := memory.Join(space, slog.New(slog.DiscardHandler))
			r := bus.NewRoster(b, "", "", nil)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			t.Cleanup(func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
			return b, r
		}
		b, seen := join()
		_, other := join()
		m := newMourner(b, seen)
		says := func(instance uint32, pid int, host string) {
			if err := b.Publish(space.Member(subject.Monitor), &relaypb.Member{
				Stage: string(subject.Monitor), Instance: instance, Pid: int32(pid), Host: host, Shards: 16,
			}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		synctest.Wait()
		says(1, 77, host)
		says(2, 77, host+"-other")
		says(3, 78, host)
		if n := len(other.View().Members(subject.Monitor)); n != 3 {
			t.Fatalf("%d monitors", n)
		}
		begin := time.Now()
		m.died(subject.Monitor, 77)
		synctest.Wait()
		if other.View().Alive(1) || !other.View().Alive(2) || !other.View().Alive(3) {
			t.Fatal("the wrong ones are dead")
		}
		says(4, 77, host)
		m.announce() // as at each change of the roster
		synctest.Wait()
		if other.View().Alive(4) {
			t.Fatal("a late announcement revives the dead")
		}
		if time.Since(begin) != 0 {
			t.Fatal("it took time")
		}
		time.Sleep(mourning + time.Second) // synctest's clock
		m.announce()
		if len(m.dead) != 0 {
			t.Fatal("mourned for ever")
		}
	})
}
