package limits

import (
	"reflect"
	"testing"
)

func TestDefaultIsValid(t *testing.T) {
	l := Default()
	if err := l.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*Limits)
		want   string // "" for valid
	}{
		{func(l *Limits) { l.MaxMessageLength = MinMessageLength }, ""},
		{func(l *Limits) { l.MaxMessageLength = TopMessageLength }, ""},
		{func(l *Limits) { l.MaxMessageLength = MinMessageLength - 1 },
			"max_message_length is 1023: want 1024 to 524288 (512 KiB), because an event must fit in one bus message and NATS allows 1 MB"},
		{func(l *Limits) { l.MaxMessageLength = TopMessageLength + 1 },
			"max_message_length is 524289: want 1024 to 524288 (512 KiB), because an event must fit in one bus message and NATS allows 1 MB"},
		{func(l *Limits) { l.MaxSubscriptions = 0 }, "max_subscriptions is 0: want 1 to 100000"},
		{func(l *Limits) { l.MaxFilters = -1 }, "max_filters is -1: want 1 to 1000"},
		{func(l *Limits) { l.MaxFilterValues = 0 }, "max_filter_values is 0: want 1 to 1000000"},
		{func(l *Limits) { l.MaxLimit = 0 }, "max_limit is 0: want 1 to 1000000"},
		{func(l *Limits) { l.MaxLimit = 500 }, ""},
		{func(l *Limits) { l.MaxLimit = 499 }, "default_limit is 500: want 1 to 499, which is max_limit"},
		{func(l *Limits) { l.DefaultLimit = 0 }, "default_limit is 0: want 1 to 5000, which is max_limit"},
		{func(l *Limits) { l.MaxSubIDLength = 65 }, "max_subid_length is 65: want 1 to 64, which NIP-01 sets"},
		{func(l *Limits) { l.MaxEventTags = 0 }, "max_event_tags is 0: want 1 to 1000000"},
		{func(l *Limits) { l.MaxContentLength = -1 }, "max_content_length is -1: want 0 to 524288"},
		{func(l *Limits) { l.CreatedAtLowerLimit = -1 }, "created_at_lower_limit is -1: want 0 to 9007199254740992"},
		{func(l *Limits) { l.CreatedAtUpperLimit = -1 }, "created_at_upper_limit is -1: want 0 to 9007199254740992"},
	} {
		l := Default()
		c.change(&l)
		got := ""
		if err := l.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestEveryLimitIsBounded sets each field out of all bounds in turn.
func TestEveryLimitIsBounded(t *testing.T) {
	for i := range reflect.TypeFor[Limits]().NumField() {
		for _, n := range []int64{-1, 1<<63 - 1} {
			l := Default()
			reflect.ValueOf(&l).Elem().Field(i).SetInt(n)
			if l.Validate() == nil {
				t.Errorf("%s: %d is accepted", reflect.TypeFor[Limits]().Field(i).Tag.Get("toml"), n)
			}
		}
	}
}
