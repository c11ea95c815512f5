package up

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// A restart that is asked for on the bus is the supervisor's to do; the one who asks
// hears how it goes, and others that it is under way.
func TestControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, log := bus.NewMemory(), slog.New(slog.DiscardHandler)
		space, err := subject.New("test", 4)
		if err != nil {
			t.Fatal(err)
		}
		operator := mem.Join(space, log)
		if err := Restart(t.Context(), operator, nil, nil); !errors.Is(err, errNoSupervisor) {
			t.Errorf("without a supervisor: %v", err)
		}

		c := newControl(mem.Join(space, log))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.run(ctx) }()
		synctest.Wait()
		ask := func() (said *[]string, end <-chan error) {
			said, out := new([]string), make(chan error, 1)
			go func() {
				out <- Restart(t.Context(), operator, []subject.Stage{subject.Gateway}, func(text string) { *said = append(*said, text) })
			}()
			return said, out
		}
		said, end := ask()
		r := <-c.rolls
		r.Say("one")
		<-time.After(time.Hour) // it takes long
		_, second := ask()
		if err := <-second; err == nil || err.Error() != "another restart is under way" {
			t.Errorf("a second one: %v", err)
		}
		r.Say("two")
		r.Done(nil)
		if err := <-end; err != nil || !slices.Equal(*said, []string{"one", "two"}) || !slices.Equal(r.Stages, []subject.Stage{subject.Gateway}) {
			t.Errorf("%v; said %q; stages %v", err, *said, r.Stages)
		}
		for why, want := range map[error]string{errors.New("no luck"): "no luck", context.Canceled: "the relay stops"} {
			synctest.Wait()
			_, end = ask()
			r = <-c.rolls
			r.Done(why)
			if err := <-end; err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
