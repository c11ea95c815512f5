package negentropy

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// seedMessages adds messages of a real session, both directions.
func seedMessages(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	p := deal(rng, distinct(random(rng, 400, 40)), .1, .1)
	server := NewSlice(p.server)
	c := NewClient(NewSlice(p.client), MinSize)
	for msg, done := c.Open(), false; !done; {
		f.Add(uint16(100), msg)
		reply, err := Respond(nil, server, msg, MinSize)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(200), reply)
		if msg, done, err = c.Next(nil, reply); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(uint16(1000), []byte("\x61\x00\x00\x02\x00"))
	f.Add(uint16(1000), []byte("\x61\x81\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00"))
	f.Add(uint16(0), []byte("\x62"))
}

// FuzzMessage: no message makes either side panic or say more than it may; what
// is said can be read, and both sides refuse the same messages.
func FuzzMessage(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, size uint16, msg []byte) {
		set := NewSlice(random(rand.New(rand.NewPCG(uint64(size), 1)), int(size)%600, 50))
		dst := []byte("before")
		for _, limit := range []int{MinSize, MinSize + 321, 0} {
			reply, err := Respond(slices.Clone(dst), set, msg, limit)
			c := NewClient(set, limit)
			next, done, clientErr := c.Next(slices.Clone(dst), msg)
			if len(msg) > 0 && msg[0] != Version {
				if err != nil || string(reply) != "before\x61" || clientErr == nil {
					t.Fatalf("another version: %q, %v, %v", reply, err, clientErr)
				}
				return
			}
			if (err == nil) != (clientErr == nil) {
				t.Fatalf("the server says %v, the client %v", err, clientErr)
			}
			if err != nil {
				if string(reply) != "before" || string(next) != "before" || len(c.Have)+len(c.Need) > 0 {
					t.Fatal("something is left of a message that was refused")
				}
				continue
			}
			checkMessage(t, reply[len(dst):], limit)
			if done != (len(next) == len(dst)) {
				t.Fatalf("done %t, and %d bytes to send", done, len(next)-len(dst))
			}
			if !done {
				checkMessage(t, next[len(dst):], limit)
			}
			if len(c.Have) > set.Len() || len(c.Need) > len(msg)/idSize {
				t.Fatalf("%d and %d ids out of nowhere", len(c.Have), len(c.Need))
			}
		}
	})
}

func checkMessage(t *testing.T, msg []byte, limit int) {
	t.Helper()
	if limit > 0 && len(msg) > limit {
		t.Fatalf("%d bytes, more than %d", len(msg), limit)
	}
	if msg[0] != Version {
		t.Fatalf("version %#x", msg[0])
	}
	r := reader{msg: msg, off: 1}
	for r.more() {
		r.next()
	}
	if r.err != nil {
		t.Fatalf("own message: %v\n%x", r.err, msg)
	}
}

// FuzzSync: sets of any shape end with exactly the differences.
func FuzzSync(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint16(1), byte(0), byte(0), byte(0), byte(0))
	f.Add(uint64(2), uint16(1000), uint16(5), byte(20), byte(20), byte(1), byte(1))
	f.Add(uint64(3), uint16(2000), uint16(5000), byte(128), byte(127), byte(2), byte(1))
	f.Fuzz(func(t *testing.T, seed uint64, n, seconds uint16, clientOnly, serverOnly, clientMax, serverMax byte) {
		rng := rand.New(rand.NewPCG(seed, 1))
		items := distinct(random(rng, int(n)%4000, 1+int64(seconds)))
		p := deal(rng, items, float64(clientOnly)/255, float64(serverOnly)/255)
		p.run(t, int(clientMax)%4*MinSize, int(serverMax)%4*MinSize)
	})
}
