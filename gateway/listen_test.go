package gateway

import "testing"

// Gateways can share an address only if all of them say so.
func TestListenShared(t *testing.T) {
	first, err := listen(t.Context(), "127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := listen(t.Context(), first.Addr().String(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if third, err := listen(t.Context(), first.Addr().String(), false); err == nil {
		third.Close()
		t.Fatal("a stranger could listen there")
	}
}
