package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/stage"
)

// informationType is the media type of a relay information document (NIP-11).
const informationType = "application/nostr+json"

// information is a relay information document. What it has no field for (fees,
// payments, posting policies) nothing here can be configured to do.
type information struct {
	Name           string     `json:"name,omitempty"`
	Description    string     `json:"description,omitempty"`
	Banner         string     `json:"banner,omitempty"`
	Icon           string     `json:"icon,omitempty"`
	Pubkey         string     `json:"pubkey,omitempty"`
	Self           string     `json:"self,omitempty"`
	Contact        string     `json:"contact,omitempty"`
	SupportedNIPs  []int      `json:"supported_nips"`
	Software       string     `json:"software,omitempty"`
	Version        string     `json:"version,omitempty"`
	TermsOfService string     `json:"terms_of_service,omitempty"`
	Limitation     limitation `json:"limitation"`
}

type limitation struct {
	MaxMessageLength    int   `json:"max_message_length"`
	MaxSubscriptions    int   `json:"max_subscriptions"`
	MaxLimit            int   `json:"max_limit"`
	DefaultLimit        int   `json:"default_limit"`
	MaxSubIDLength      int   `json:"max_subid_length"`
	MaxEventTags        int   `json:"max_event_tags"`
	MaxContentLength    int   `json:"max_content_length,omitempty"`
	MinPoWDifficulty    int   `json:"min_pow_difficulty"`
	CreatedAtLowerLimit int64 `json:"created_at_lower_limit,omitempty"`
	CreatedAtUpperLimit int64 `json:"created_at_upper_limit,omitempty"`
	AuthRequired        bool  `json:"auth_required"`
	PaymentRequired     bool  `json:"payment_required"`
	RestrictedWrites    bool  `json:"restricted_writes"`
}

// newInformation says what is true by configuration, and nothing that is not
// enforced somewhere: a limit that is off is left out, where 0 would not say so.
// Writes are restricted by a difficulty, which NIP-11 counts, and not by AUTH, which
// any key can pass.
func newInformation(c *Config, env *stage.Env) information {
	r, l, p := &c.Relay, &env.Limits, &env.Policy
	return information{
		Name: r.Name, Description: r.Description, Banner: r.Banner, Icon: r.Icon, Pubkey: r.Pubkey, Self: r.Self, Contact: r.Contact,
		SupportedNIPs: supportedNIPs(c, p), Software: r.Software, Version: env.Version, TermsOfService: r.TermsOfService,
		Limitation: limitation{
			MaxMessageLength: l.MaxMessageLength, MaxSubscriptions: l.MaxSubscriptions,
			MaxLimit: l.MaxLimit, DefaultLimit: l.DefaultLimit, MaxSubIDLength: l.MaxSubIDLength,
			MaxEventTags: l.MaxEventTags, MaxContentLength: l.MaxContentLength, MinPoWDifficulty: p.MinPoW,
			CreatedAtLowerLimit: l.CreatedAtLowerLimit, CreatedAtUpperLimit: l.CreatedAtUpperLimit,
			AuthRequired: p.Auth == policy.AuthRequired, RestrictedWrites: p.MinPoW > 0,
		},
	}
}

// The kinds of messages for somebody, by the NIP that keeps them from others.
const (
	kindDM       nostr.Kind = 4    // NIP-04
	kindGiftWrap nostr.Kind = 1059 // NIP-17, NIP-59
)

// supportedNIPs lists those that ask something of a relay, ascending, as far as the
// configuration leaves them in force.
func supportedNIPs(c *Config, p *policy.Policy) []int {
	list := []int{1, 9, 11, 40, 42, 45, 62, 65, 67, 70}
	access := p.Access(nil)
	if access.IsPrivate(kindDM) {
		list = append(list, 4)
	}
	if access.IsPrivate(kindGiftWrap) {
		list = append(list, 17, 59)
	}
	if asksForWork(p) {
		list = append(list, 13)
	}
	if c.MaxNegotiations > 0 {
		list = append(list, 77)
	}
	slices.Sort(list)
	return list
}

// asksForWork reports whether events of any kind need some (NIP-13).
func asksForWork(p *policy.Policy) bool {
	for _, bits := range p.KindPoW {
		if bits > 0 {
			return true
		}
	}
	return p.MinPoW > 0
}

func (i information) json() ([]byte, error) { return json.MarshalIndent(i, "", "  ") }

// acceptsInformation says whether Accept headers (RFC 9110, 12.5.1) ask for the
// document by name, with a weight above 0. A browser's */* does not.
func acceptsInformation(accept []string) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(media), informationType) && weight(params) > 0 {
				return true
			}
		}
	}
	return false
}

// weight reads the q among a media range's parameters: 1 when there is none or it
// cannot be read.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			return q
		}
	}
	return 1
}
