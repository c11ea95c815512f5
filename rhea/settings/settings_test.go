package settings

import (
	"slices"
	"testing"

	"rhea/proto/stage"
)

// A section that is missing here would be missing in the reference, in the check of
// a file, and in rhea up.
func TestEverySection(t *testing.T) {
	relay, common := Default(), stage.DefaultCommon()
	var got []string
	for _, s := range (&stage.Loader{Name: "rhea", Config: []any{&relay, &common}}).Describe() {
		got = append(got, s.Name)
		for _, k := range s.Keys {
			if k.Help == "" {
				t.Errorf("%s.%s has no help", s.Name, k.Name)
			}
		}
	}
	if !slices.Equal(got, stage.Sections()) {
		t.Errorf("sections %q, want %q", got, stage.Sections())
	}
}
