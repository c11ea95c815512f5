// Package limits is the one definition of the limits that a relay announces in
// its NIP-11 document and that its stages enforce: the gateway on frames and
// subscriptions, the ingester on events, the reqworker on filters. What is
// announced is therefore what is enforced.
//
// The package knows the numbers and their bounds; who counts, and what a client
// is told, is each stage's own. Limits is a plain value.
package limits

import "fmt"

// Limits is section [limits]. Every process of a deployment should be given the
// same. The names follow NIP-11's limitation object where it has one.
type Limits struct {
	// MaxMessageLength is in bytes, from the opening [ of a client's message to
	// its closing ] (NIP-11 max_message_length).
	MaxMessageLength int `toml:"max_message_length" help:"longest message of a client, in bytes from [ to ]" live:"true"`
	// MaxSubscriptions counts the open REQs of one connection (NIP-11
	// max_subscriptions).
	MaxSubscriptions int `toml:"max_subscriptions" help:"open subscriptions of one connection" live:"true"`
	// MaxFilters counts the filters of one REQ or COUNT. NIP-11 has no name for
	// it any more.
	MaxFilters int `toml:"max_filters" help:"filters in one REQ or COUNT" live:"true"`
	// MaxFilterValues counts the list items (ids, authors, kinds, tag values) of
	// all filters of one REQ together.
	MaxFilterValues int `toml:"max_filter_values" help:"ids, authors, kinds and tag values in all filters of one REQ together" live:"true"`
	// MaxLimit is what a larger filter limit is lowered to (NIP-11 max_limit).
	MaxLimit int `toml:"max_limit" help:"stored events for one filter; a larger limit is lowered to this" live:"true"`
	// DefaultLimit stands in for a missing filter limit (NIP-11 default_limit).
	DefaultLimit int `toml:"default_limit" help:"stored events for a filter without a limit" live:"true"`
	// MaxSubIDLength is in characters. NIP-01 fixes it at 64; the setting exists
	// only to be announced (NIP-11 max_subid_length) and to be made smaller.
	MaxSubIDLength int `toml:"max_subid_length" help:"characters in a subscription id; NIP-01 allows up to 64" live:"true"`
	// MaxEventTags counts the tags of an event (NIP-11 max_event_tags). The
	// default is above what fits in a message of default length with useful tags:
	// large follow lists are legitimate.
	MaxEventTags int `toml:"max_event_tags" help:"tags of one event" live:"true"`
	// MaxContentLength is in unicode characters (NIP-11 max_content_length); 0
	// leaves it to MaxMessageLength.
	MaxContentLength int `toml:"max_content_length" help:"unicode characters in an event's content; 0: as many as fit in a message" live:"true"`
	// CreatedAtLowerLimit is how many seconds an event's created_at may lie in
	// the past (NIP-11 created_at_lower_limit); 0 is any: relays keep archives.
	CreatedAtLowerLimit int64 `toml:"created_at_lower_limit" help:"seconds that created_at may lie in the past; 0: any" live:"true"`
	// CreatedAtUpperLimit is how many seconds an event's created_at may lie in
	// the future (NIP-11 created_at_upper_limit); 0 is any: events dated far
	// ahead are in real use, and NIP-01 does not forbid them.
	CreatedAtUpperLimit int64 `toml:"created_at_upper_limit" help:"seconds that created_at may lie in the future; 0: any" live:"true"`
}

// The bounds of MaxMessageLength. Above them an event with its envelope would
// come near the 1 MB that NATS allows a bus message; below them ordinary events
// would not fit.
const (
	MinMessageLength = 1 << 10
	TopMessageLength = 512 << 10
)

// SubIDLength is NIP-01's bound on subscription ids, in characters.
const SubIDLength = 64

// Default returns the limits of a relay that nobody has configured.
func Default() Limits {
	return Limits{
		MaxMessageLength: 256 << 10,
		MaxSubscriptions: 200,
		MaxFilters:       20,
		MaxFilterValues:  10_000,
		MaxLimit:         5000,
		DefaultLimit:     500,
		MaxSubIDLength:   SubIDLength,
		MaxEventTags:     20_000,
	}
}

// Validate reports the first limit that is out of its bounds.
func (l *Limits) Validate() error {
	bounds := []struct {
		key              string
		value, low, high int64
		why              string
	}{
		{"max_message_length", int64(l.MaxMessageLength), MinMessageLength, TopMessageLength,
			" (512 KiB), because an event must fit in one bus message and NATS allows 1 MB"},
		{"max_subscriptions", int64(l.MaxSubscriptions), 1, 100_000, ""},
		{"max_filters", int64(l.MaxFilters), 1, 1000, ""},
		{"max_filter_values", int64(l.MaxFilterValues), 1, 1_000_000, ""},
		{"max_limit", int64(l.MaxLimit), 1, 1_000_000, ""},
		{"default_limit", int64(l.DefaultLimit), 1, int64(l.MaxLimit), ", which is max_limit"},
		{"max_subid_length", int64(l.MaxSubIDLength), 1, SubIDLength, ", which NIP-01 sets"},
		{"max_event_tags", int64(l.MaxEventTags), 1, 1_000_000, ""},
		{"max_content_length", int64(l.MaxContentLength), 0, TopMessageLength, ""},
		{"created_at_lower_limit", l.CreatedAtLowerLimit, 0, 1 << 53, ""},
		{"created_at_upper_limit", l.CreatedAtUpperLimit, 0, 1 << 53, ""},
	}
	for _, b := range bounds {
		if b.value < b.low || b.value > b.high {
			return fmt.Errorf("%s is %d: want %d to %d%s", b.key, b.value, b.low, b.high, b.why)
		}
	}
	return nil
}
