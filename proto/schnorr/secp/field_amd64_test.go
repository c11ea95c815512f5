package secp

import "testing"

// TestWithoutADX goes where the assembly goes on a processor without MULX, ADCX
// and ADOX.
func TestWithoutADX(t *testing.T) {
	if !hasADX {
		t.Skip("the other tests ran without")
	}
	hasADX = false
	defer func() { hasADX = true }()
	r := newRand(t)
	for range 1000 {
		checkField(t, edgy(r), edgy(r))
	}
	four := []Field{edgy(r), edgy(r), edgy(r)}
	want := append([]Field(nil), four...)
	sqrEach(four, 5)
	hasADX = true
	sqrEach(want, 5)
	for i := range four {
		if !four[i].Equal(&want[i]) {
			t.Errorf("number %d: %x without, %x with", i, four[i], want[i])
		}
	}
}
