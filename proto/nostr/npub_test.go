package nostr_test

import (
	"testing"

	"rhea/proto/nostr"
)

// The first two are the examples of NIP-19.
func TestNPub(t *testing.T) {
	for hex, want := range map[string]string{
		"3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d": "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6",
		"7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e": "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
	} {
		pk, err := nostr.ParsePubKey(hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := pk.NPub(); got != want {
			t.Errorf("%s\n got %s\nwant %s", hex, got, want)
		}
	}
}
