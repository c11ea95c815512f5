package schnorr

import (
	"encoding/csv"
	"encoding/hex"
	"flag"
	"os"
	"slices"
	"testing"
)

var vectorsPath = flag.String("bip340.vectors", "",
	"test-vectors.csv of BIP-340, from the bip-0340 folder of github.com/bitcoin/bips")

// TestOfficialVectors runs the test vectors of BIP-340 through the package and
// through the oracle that the other tests rely on. The file is not kept here;
// name it with an absolute path:
//
//	go test ./schnorr -run Official -bip340.vectors $PWD/test-vectors.csv
func TestOfficialVectors(t *testing.T) {
	if *vectorsPath == "" {
		t.Skip("no -bip340.vectors given")
	}
	f, err := os.Open(*vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 20 {
		t.Fatalf("%d rows; the final BIP-340 has a header and 19 vectors", len(rows))
	}
	cached := NewKeys(4)
	var batch []Signature
	var wants []bool
	for _, row := range rows[1:] {
		t.Run(row[0]+" "+row[7], func(t *testing.T) {
			field := func(i int) []byte {
				b, err := hex.DecodeString(row[i])
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			pubkey, msg, sig := [32]byte(field(2)), field(4), [64]byte(field(5))
			want := row[6] == "TRUE"
			for name, verify := range map[string]func(*[32]byte, []byte, *[64]byte) bool{
				"Verify": Verify, "Keys": cached.Verify, "Keys again": cached.Verify, "oracle": oracleVerify,
			} {
				if got := verify(&pubkey, msg, &sig); got != want {
					t.Errorf("%s = %v, want %v", name, got, want)
				}
			}
			if len(msg) == 32 {
				batch = append(batch, Signature{ID: [32]byte(msg), PubKey: pubkey, Sig: sig})
				wants = append(wants, want)
			}
			if row[1] == "" {
				return
			}
			secret, aux := [32]byte(field(1)), [32]byte(field(3))
			if got, err := PublicKey(&secret); err != nil || got != pubkey {
				t.Errorf("PublicKey = %x, %v, want %x", got, err, pubkey)
			}
			if got, err := sign(&secret, msg, &aux); err != nil || got != sig {
				t.Errorf("sign = %x, %v, want %x", got, err, sig)
			}
			if p, got := oracleSign(&secret, msg, &aux); p != pubkey || got != sig {
				t.Errorf("oracle: pubkey %x, signature %x", p, got)
			}
		})
	}
	ok := make([]bool, len(batch))
	NewVerifier(nil).VerifyBatch(batch, ok)
	if !slices.Equal(ok, wants) {
		t.Errorf("as a batch %v, want %v", ok, wants)
	}
}
