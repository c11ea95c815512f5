package deflate

import (
	"strings"
	"testing"
)

// What clients in use offer, what they might, and what is none.
func TestAccept(t *testing.T) {
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	const full = plain + "; server_max_window_bits=15"
	for _, c := range []struct{ offers, answer string }{
		{"permessage-deflate", plain},                                                         // Firefox
		{"permessage-deflate; client_max_window_bits", plain},                                 // Chromium, Safari, ws
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", plain}, // Go's clients
		{"permessage-deflate; client_max_window_bits=8", plain},
		{"permessage-deflate;client_max_window_bits = \"15\"\t;server_no_context_takeover", plain},
		{"permessage-deflate; server_max_window_bits=15", full},
		{"permessage-deflate; server_max_window_bits=\"15\"", full},
		{"permessage-deflate; server_max_window_bits=10", ""},
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", plain},
		{"permessage-deflate\npermessage-deflate; server_max_window_bits=15", plain},
		{"x-webkit-deflate-frame, permessage-deflate", plain},
		{"x-webkit-deflate-frame", ""},
		{"x-other; mode=\"fast\"\npermessage-deflate; server_max_window_bits=15,permessage-deflate", full},
		{", permessage-deflate ,,", plain},
		{"", ""},
		{",", ""},

		{"permessage-deflate; server_max_window_bits", ""}, // has to have a value
		{"permessage-deflate; server_max_window_bits=16", ""},
		{"permessage-deflate; client_max_window_bits=7", ""},
		{"permessage-deflate; client_max_window_bits=16", ""},
		{"permessage-deflate; client_max_window_bits=08", ""},
		{"permessage-deflate; client_max_window_bits=+9", ""},
		{"permessage-deflate; client_max_window_bits=100", ""},
		{"permessage-deflate; client_max_window_bits=1x", ""},
		{"permessage-deflate; server_no_context_takeover=1", ""},
		{"permessage-deflate; client_no_context_takeover=true", ""},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""},
		{"permessage-deflate; unheard_of", ""},
		{"permessage-deflate; unheard_of, permessage-deflate", plain},
		{"Permessage-Deflate", ""}, // the registered name is what it is

		{"permessage-deflate;", ""},
		{"permessage-deflate; =10", ""},
		{"permessage-deflate; client_max_window_bits=", ""},
		{"permessage-deflate; client_max_window_bits=\"10", ""},
		{"permessage-deflate; client_max_window_bits=\"\"", ""},
		{"permessage-deflate; client_max_window_bits=\"1\\0\"", ""},
		{"permessage-deflate client_max_window_bits", ""},
		{"permessage-deflate, p\x00", ""},
		{"permessage-deflate\n;", ""},
	} {
		answer, ok := Accept(strings.Split(c.offers, "\n"))
		if answer != c.answer || ok != (c.answer != "") {
			t.Errorf("%q: %q, %v, want %q", c.offers, answer, ok, c.answer)
		}
	}
	if answer, ok := Accept(nil); ok {
		t.Errorf("no header: %q", answer)
	}
}

// Whatever is offered, an answer is one that the client has to understand: it
// names a window only to one that has offered that, and would be accepted itself.
func FuzzAccept(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits, permessage-deflate; server_max_window_bits=\"15\"", "x; a=b")
	f.Fuzz(func(t *testing.T, one, two string) {
		headers := []string{one, two}
		answer, ok := Accept(headers)
		if !ok {
			if answer != "" {
				t.Errorf("not accepted, and answered %q", answer)
			}
			return
		}
		if !strings.Contains(one+two, extension) {
			t.Errorf("%q accepts what %q does not offer", answer, headers)
		}
		if strings.Contains(answer, serverMaxWindow) && !strings.Contains(one+two, serverMaxWindow) {
			t.Errorf("%q names a window that %q does not offer", answer, headers)
		}
		if again, ok := Accept([]string{answer}); !ok || again != answer {
			t.Errorf("%q, offered, is answered %q", answer, again)
		}
	})
}
