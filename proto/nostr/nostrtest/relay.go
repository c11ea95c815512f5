package nostrtest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"rhea/proto/nostr"
)

// Relay is what a relay ought to do, in memory: events in, answers out. It holds
// lists and goes through all of them every time; it shares no code with what it is
// the oracle of. It trusts signatures and ids. The zero value is an open relay
// without private kinds that is called nothing. It belongs to one goroutine.
//
// Two things it leaves open, because the protocol does: an event that has expired
// and is replaceable may or may not stand in the way of an older version, and an
// ephemeral event that comes twice may be passed on once or twice.
type Relay struct {
	Private []nostr.Kind // kinds for the parties of an event only
	URLs    []string     // that requests to vanish name, besides ALL_RELAYS

	stored    []*nostr.Event
	deletions []*nostr.Event // every kind 5 that was ever accepted
	vanishes  []*nostr.Event // every request to vanish that was, and is for us
}

// Answer is an OK without its human part.
type Answer struct {
	Accepted bool
	Prefix   string // with Accepted "" or "duplicate", otherwise why not
}

// Event is what becomes of an EVENT of a connection with these keys.
func (r *Relay) Event(e *nostr.Event, keys []nostr.PubKey, now int64) Answer {
	ephemeral := e.Kind >= 20000 && e.Kind < 30000
	switch {
	case e.Kind == 22242:
		return Answer{false, "invalid"}
	case !ephemeral && expired(e, now):
		return Answer{false, "invalid"}
	case hasTag(e, "-") && len(keys) == 0:
		return Answer{false, "auth-required"}
	case hasTag(e, "-") && !slices.Contains(keys, e.PubKey):
		return Answer{false, "restricted"}
	case (e.Kind == 6 || e.Kind == 16) && embedsProtected(e.Content):
		return Answer{false, "blocked"}
	case e.Kind == 62 && len(values(e, "relay")) == 0:
		return Answer{false, "invalid"}
	case r.find(e.ID) >= 0:
		return Answer{true, "duplicate"}
	case r.forbidden(e):
		return Answer{false, "blocked"}
	case ephemeral:
		return Answer{true, ""}
	}
	if address(e) != "" {
		for i, old := range r.stored {
			if address(old) != address(e) {
				continue
			}
			if newestFirst(old, e) < 0 {
				return Answer{false, "replaced"}
			}
			r.stored = slices.Delete(r.stored, i, i+1)
			break
		}
	}
	r.stored = append(r.stored, e)
	switch {
	case e.Kind == 5:
		r.deletions = append(r.deletions, e)
		r.stored = slices.DeleteFunc(r.stored, func(old *nostr.Event) bool { return deletes(e, old) })
	case e.Kind == 62 && slices.ContainsFunc(values(e, "relay"), func(u string) bool { return u == "ALL_RELAYS" || slices.Contains(r.URLs, u) }):
		r.vanishes = append(r.vanishes, e)
		r.stored = slices.DeleteFunc(r.stored, func(old *nostr.Event) bool { return vanishes(e, old) })
	}
	return Answer{true, ""}
}

// Stored returns the ids of what is stored, expired or not.
func (r *Relay) Stored() (ids []nostr.EventID) {
	for _, e := range r.stored {
		ids = append(ids, e.ID)
	}
	return ids
}

// forbidden says whether somebody who may has asked that e be deleted.
func (r *Relay) forbidden(e *nostr.Event) bool {
	return slices.ContainsFunc(r.deletions, func(d *nostr.Event) bool { return deletes(d, e) }) ||
		slices.ContainsFunc(r.vanishes, func(v *nostr.Event) bool { return vanishes(v, e) })
}

// deletes is NIP-09, and NIP-59 for gift wraps.
func deletes(d, e *nostr.Event) bool {
	if e.Kind == 5 || e.Kind == 62 {
		return false
	}
	owner := d.PubKey == e.PubKey || e.Kind == 1059 && slices.Contains(values(e, "p"), d.PubKey.String())
	if owner && slices.Contains(values(d, "e"), e.ID.String()) {
		return true
	}
	return address(e) != "" && d.PubKey == e.PubKey && e.CreatedAt <= d.CreatedAt && slices.Contains(values(d, "a"), address(e))
}

// vanishes is NIP-62.
func vanishes(v, e *nostr.Event) bool {
	mine := v.PubKey == e.PubKey && e.Kind != 62
	towards := e.Kind == 1059 && slices.Contains(values(e, "p"), v.PubKey.String())
	return e.CreatedAt <= v.CreatedAt && (mine || towards)
}

// address is kind:pubkey:d of what is replaced by newer versions, "" of what is
// not.
func address(e *nostr.Event) string {
	d := ""
	switch k := e.Kind; {
	case k == 0 || k == 3 || k >= 10000 && k < 20000:
	case k >= 30000 && k < 40000:
		for _, tag := range e.Tags {
			if tag[0] == "d" {
				d = strings.Join(tag[1:min(2, len(tag))], "")
				break
			}
		}
	default:
		return ""
	}
	return strconv.Itoa(int(e.Kind)) + ":" + e.PubKey.String() + ":" + d
}

// Refuses returns the prefix with which a REQ, COUNT or NEG-OPEN is refused, ""
// when it is not.
func (r *Relay) Refuses(keys []nostr.PubKey, filters ...[]byte) string {
	for _, text := range filters {
		f := decode(text)
		if f.Kinds == nil || len(*f.Kinds) == 0 ||
			slices.ContainsFunc(*f.Kinds, func(k int64) bool { return k >= 0 && k <= 65535 && !slices.Contains(r.Private, nostr.Kind(k)) }) {
			continue
		}
		if !slices.ContainsFunc(*f.Kinds, func(k int64) bool { return k >= 0 && k <= 65535 }) {
			continue
		}
		if len(keys) == 0 {
			return "auth-required"
		}
		_, hasP := f.tags["p"]
		if f.Authors != nil && hasP &&
			!slices.ContainsFunc(keys, func(k nostr.PubKey) bool {
				return slices.Contains(*f.Authors, k.String()) || slices.Contains(f.tags["p"], k.String())
			}) {
			return "restricted"
		}
	}
	return ""
}

// Visible says whether a connection with these keys may be sent e now.
func (r *Relay) Visible(e *nostr.Event, keys []nostr.PubKey, now int64) bool {
	if expired(e, now) && (e.Kind < 20000 || e.Kind >= 30000) {
		return false
	}
	return !slices.Contains(r.Private, e.Kind) || slices.ContainsFunc(keys, func(k nostr.PubKey) bool {
		return k == e.PubKey || slices.Contains(values(e, "p"), k.String())
	})
}

// Query returns the stored events of a REQ in the order in which they are sent.
// Limits are those of the filters; the relay has none of its own.
func (r *Relay) Query(keys []nostr.PubKey, now int64, filters ...[]byte) []*nostr.Event {
	return OracleJSON(r.visible(keys, now), filters...)
}

// Hint is what EOSE says: "finish", "more", or "" when it may say nothing.
func (r *Relay) Hint(keys []nostr.PubKey, now int64, filters ...[]byte) string {
	if len(r.Query(keys, now, filters...)) == len(r.all(keys, now, filters...)) {
		return "finish"
	}
	return "more"
}

// Count is the answer to a COUNT: what matches any of the filters, once, whatever
// their limits.
func (r *Relay) Count(keys []nostr.PubKey, now int64, filters ...[]byte) int {
	return len(r.all(keys, now, filters...))
}

// Set returns what a negentropy session is about, in its order: created_at, then
// id, ascending.
func (r *Relay) Set(keys []nostr.PubKey, now int64, filter []byte) []*nostr.Event {
	set := r.Query(keys, now, filter)
	slices.SortFunc(set, func(a, b *nostr.Event) int {
		if a.CreatedAt == b.CreatedAt {
			return newestFirst(a, b)
		}
		return newestFirst(b, a)
	})
	return set
}

// Matches says whether e is sent to a subscription of a connection with these keys
// when it comes.
func (r *Relay) Matches(e *nostr.Event, keys []nostr.PubKey, now int64, filters ...[]byte) bool {
	return r.Visible(e, keys, now) && slices.ContainsFunc(filters, func(f []byte) bool { return decode(f).matches(e) })
}

func (r *Relay) visible(keys []nostr.PubKey, now int64) (events []*nostr.Event) {
	for _, e := range r.stored {
		if r.Visible(e, keys, now) {
			events = append(events, e)
		}
	}
	return events
}

func (r *Relay) all(keys []nostr.PubKey, now int64, filters ...[]byte) (events []*nostr.Event) {
	for _, e := range r.visible(keys, now) {
		if slices.ContainsFunc(filters, func(f []byte) bool { return decode(f).matches(e) }) {
			events = append(events, e)
		}
	}
	return events
}

func (r *Relay) find(id nostr.EventID) int {
	return slices.IndexFunc(r.stored, func(e *nostr.Event) bool { return e.ID == id })
}

func hasTag(e *nostr.Event, name string) bool {
	return slices.ContainsFunc(e.Tags, func(tag nostr.Tag) bool { return tag[0] == name })
}

// values returns the first value of each tag of a name.
func values(e *nostr.Event, name string) (list []string) {
	for _, tag := range e.Tags {
		if tag[0] == name && len(tag) > 1 {
			list = append(list, tag[1])
		}
	}
	return list
}

// embedsProtected is NIP-70 on reposts.
func embedsProtected(content string) bool {
	var fields map[string]json.RawMessage
	var tags [][]string
	return json.Unmarshal([]byte(content), &fields) == nil && json.Unmarshal(fields["tags"], &tags) == nil &&
		slices.ContainsFunc(tags, func(tag []string) bool { return len(tag) > 0 && tag[0] == "-" })
}

// expired is NIP-40.
func expired(e *nostr.Event, now int64) bool {
	for _, text := range values(e, "expiration") {
		if at, err := strconv.ParseInt(text, 10, 64); err == nil && at > 0 {
			return at <= now
		}
	}
	return false
}
