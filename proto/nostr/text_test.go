package nostr_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/nostr"
)

// shorthand stands for the long hex strings of the transcripts.
var shorthand = []string{
	"$ID", strings.Repeat("1d", 32),
	"$PK", strings.Repeat("9c", 32),
	"$SIG", strings.Repeat("5e", 64),
	"$A", strings.Repeat("aa", 32),
	"$B", strings.Repeat("bb", 32),
}

func expand(s string) string { return strings.NewReplacer(shorthand...).Replace(s) }

func shorten(s string) string {
	pairs := make([]string, len(shorthand))
	for i := range shorthand {
		pairs[i] = shorthand[i^1]
	}
	// The longest first: $SIG contains no other, and no other contains it.
	return strings.NewReplacer(pairs...).Replace(s)
}

// TestTranscripts runs testdata/*.txt. Commands:
//
//	event [tags=N] [nesting=N] [quoted]   ParseEvent, and what it kept
//	preimage                              the canonical form, Go-quoted
//	header                                what the header says
//	filters [filters=N] [values=N] …      ParseFilters, and what it kept
//
// quoted: the input is a Go string literal without its quotes.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			input := expand(d.Input)
			if d.HasArg("quoted") {
				var err error
				if input, err = strconv.Unquote(`"` + strings.ReplaceAll(input, `"`, `\"`) + `"`); err != nil {
					d.Fatalf(t, "%v", err)
				}
			}
			arg := func(name string) (n int) {
				d.MaybeScanArgs(t, name, &n)
				return n
			}
			if d.Cmd == "filters" {
				return filtersTranscript(input, nostr.FilterLimits{
					MaxFilters: arg("filters"), MaxValues: arg("values"), MaxNesting: arg("nesting")})
			}
			e, err := nostr.ParseEvent([]byte(input), nostr.EventLimits{
				MaxTags: arg("tags"), MaxNesting: arg("nesting")})
			if err != nil {
				return nostr.Invalid.Text(err.Error()) + "\n"
			}
			switch d.Cmd {
			case "event":
				return shorten(string(e.AppendJSON(nil))) + "\n"
			case "preimage":
				return shorten(strconv.QuoteToASCII(string(e.AppendCanonical(nil)))) + "\n"
			case "header":
				return headerTranscript(nostr.AppendHeader(nil, e))
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func filtersTranscript(input string, lim nostr.FilterLimits) string {
	filters, err := nostr.ParseFilters([]byte(input), lim)
	if err != nil {
		return nostr.Invalid.Text(err.Error()) + "\n"
	}
	var out strings.Builder
	for i := range filters {
		out.WriteString(shorten(string(filters[i].AppendJSON(nil))))
		if filters[i].Impossible() {
			out.WriteString(" impossible")
		}
		out.WriteString("\n")
	}
	return out.String()
}

func headerTranscript(h nostr.Header) string {
	var out strings.Builder
	fmt.Fprintf(&out, "created_at %d kind %d expiration %d protected %t d %q\n",
		h.CreatedAt(), h.Kind(), h.Expiration(), h.Protected(), h.D())
	for name, value := range h.Tags() {
		_, packed := value.Packed()
		fmt.Fprintf(&out, "%c %q packed %t\n", name, shorten(value.String()), packed)
	}
	return out.String()
}
