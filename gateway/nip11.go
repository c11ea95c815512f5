package gateway

import (
	"encoding/json"
	"strconv"
	"strings"

	"rhea/proto/limits"
)

// informationType is the media type of a relay information document (NIP-11).
const informationType = "application/nostr+json"

// information is a relay information document.
type information struct {
	Name          string     `json:"name,omitempty"`
	Description   string     `json:"description,omitempty"`
	Icon          string     `json:"icon,omitempty"`
	Pubkey        string     `json:"pubkey,omitempty"`
	Contact       string     `json:"contact,omitempty"`
	SupportedNIPs []int      `json:"supported_nips"`
	Software      string     `json:"software,omitempty"`
	Version       string     `json:"version,omitempty"`
	Limitation    limitation `json:"limitation"`
}

type limitation struct {
	MaxMessageLength    int   `json:"max_message_length"`
	MaxSubscriptions    int   `json:"max_subscriptions"`
	MaxLimit            int   `json:"max_limit"`
	DefaultLimit        int   `json:"default_limit"`
	MaxSubIDLength      int   `json:"max_subid_length"`
	MaxEventTags        int   `json:"max_event_tags"`
	MaxContentLength    int   `json:"max_content_length,omitempty"`
	CreatedAtLowerLimit int64 `json:"created_at_lower_limit,omitempty"`
	CreatedAtUpperLimit int64 `json:"created_at_upper_limit,omitempty"`
	AuthRequired        bool  `json:"auth_required"`
	PaymentRequired     bool  `json:"payment_required"`
	RestrictedWrites    bool  `json:"restricted_writes"`
}

// newInformation says what is true by configuration, and nothing that is not
// enforced somewhere: a limit that is off is left out.
func newInformation(r Relay, l limits.Limits, version string) information {
	return information{
		Name: r.Name, Description: r.Description, Icon: r.Icon, Pubkey: r.Pubkey, Contact: r.Contact,
		SupportedNIPs: []int{1, 11}, Software: r.Software, Version: version,
		Limitation: limitation{
			MaxMessageLength: l.MaxMessageLength, MaxSubscriptions: l.MaxSubscriptions,
			MaxLimit: l.MaxLimit, DefaultLimit: l.DefaultLimit, MaxSubIDLength: l.MaxSubIDLength,
			MaxEventTags: l.MaxEventTags, MaxContentLength: l.MaxContentLength,
			CreatedAtLowerLimit: l.CreatedAtLowerLimit, CreatedAtUpperLimit: l.CreatedAtUpperLimit,
		},
	}
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
