package tap

import "time"

// Format is the version of the format that this package writes; it reads that one
// alone.
const Format = 1

// Header says what was recorded, and where. It stands once, at the beginning, as
// JSON.
type Header struct {
	Format   int       `json:"format"`
	Prefix   string    `json:"prefix"`   // of the deployment's subjects, such as "rhea"
	Shards   int       `json:"shards"`   // of the deployment
	Started  time.Time `json:"started"`  // by the clock of the recorder
	Host     string    `json:"host"`     // of the recorder; empty when redacted
	Version  string    `json:"version"`  // of the recorder
	Subjects []string  `json:"subjects"` // what was listened to, in full: "rhea.v1.>"
	Redacted []string  `json:"redacted,omitempty"`
	Members  []Member  `json:"members,omitempty"`
}

// Member is a process that was on the bus when the recording began.
type Member struct {
	Stage    string   `json:"stage"`
	Instance string   `json:"instance"` // 8 hex digits, as in subjects and logs
	Host     string   `json:"host,omitempty"`
	Version  string   `json:"version"`
	Owned    []uint32 `json:"owned,omitempty"` // shards
	Seq      uint64   `json:"seq,omitempty"`   // writer: the last Seq on disk; monitor: how far it has followed
	Store    uint64   `json:"store,omitempty"` // writer: identity of the store
}
