package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrForbidden says what this process has no permission for.
var ErrForbidden = errors.New("bus: NATS does not permit this process")

// refusals notes what NATS does not permit one connection, which it says some time
// after it was tried. Safe for concurrent use.
type refusals struct {
	count  atomic.Uint64
	logged atomic.Int64 // Unix seconds of the last line
}

// note counts, and logs one line a second: a process with the wrong credential is
// refused all that it sends.
func (r *refusals) note(log *slog.Logger, conn string, err error) {
	r.count.Add(1)
	now := time.Now().Unix()
	if last := r.logged.Load(); now != last && r.logged.CompareAndSwap(last, now) {
		log.Error("NATS does not permit this process what it wants to say or hear", "conn", conn, "err", err)
	}
}

// forbidden says whether err, the last that NATS told a connection, is about
// listening on subj.
func forbidden(err error, subj string) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), fmt.Sprintf("Subscription to %q", subj))
}
