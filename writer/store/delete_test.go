package store

import (
	"fmt"
	"testing"

	"rhea/proto/nostr"
)

// Who may delete what by its id is the same for an event of the batch in work, for one
// in the database, and for one that comes later.
func TestWhoMayDelete(t *testing.T) {
	author, recipient, other := nostr.PubKey{1}, nostr.PubKey{2}, nostr.PubKey{3}
	for _, kind := range []nostr.Kind{1, 4, kindDeletion, kindVanish, kindGiftWrap, 10002, 30023} {
		for _, signer := range []nostr.PubKey{author, recipient, other} {
			want := signer == author || signer == recipient && kind == kindGiftWrap
			want = want && kind != kindDeletion && kind != kindVanish
			event := made(7, kind, 100, "", nostr.Tag{"p", recipient.String()})
			request := made(8, kindDeletion, 100, "", nostr.Tag{"e", event.ID.String()})
			request.PubKey = signer
			target, ask := incomingOf(event), incomingOf(request)
			target.Vanish = false
			for how, commits := range map[string][][]Incoming{
				"one batch": {{target, ask}}, "two commits": {{target}, {ask}}, "before": {{ask}, {target}},
			} {
				t.Run(fmt.Sprintf("kind %d by %x %s", kind, signer[:1], how), func(t *testing.T) {
					s := openMem(t, Options{})
					for _, batch := range commits {
						commit(t, s, batch...)
					}
					withView(t, s, func(v *View) {
						if p, err := v.place(event.ID); err != nil || (p.seq == 0) != want {
							t.Errorf("gone: %v, want %v (%v)", p.seq == 0, want, err)
						}
					})
					checked(t, s)
				})
			}
		}
	}
}
