package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// until reads frames up to one of the verbs for an id; events go where they belong.
func (c *speaker) until(verbs, id string) ([]json.RawMessage, error) {
	for {
		parts, err := c.frame()
		if err != nil {
			return nil, fmt.Errorf("waiting for %s of %s: %w", verbs, id, err)
		}
		var verb, of string
		json.Unmarshal(parts[0], &verb)
		json.Unmarshal(parts[1], &of)
		if slices.Contains(strings.Fields(verbs), verb) && (of == id || id == "") {
			return parts, nil
		}
		if verb != "EVENT" {
			return nil, fmt.Errorf("waiting for %s of %s: %s", verbs, id, parts)
		}
	}
}

// frame reads one frame.
func (c *speaker) frame() ([]json.RawMessage, error) {
	text, ok := c.take(cue)
	if !ok {
		return nil, errSilent
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(text), &parts); err != nil || len(parts) < 2 {
		return nil, fmt.Errorf("%s", text)
	}
	var verb, of string
	json.Unmarshal(parts[0], &verb)
	json.Unmarshal(parts[1], &of)
	switch verb {
	case "AUTH":
		c.challenge = of
	case "EVENT":
		var e struct{ ID string }
		json.Unmarshal(parts[2], &e)
		c.got[of] = append(c.got[of], e.ID)
	}
	return parts, nil
}
