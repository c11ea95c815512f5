// Package subject is the only builder and parser of NATS subjects, and the home
// of the types that address work on the bus: ConnID, Shard, Instance and Seq.
//
// A subject is <prefix>.v1.<inbox>[.<key>]:
//
//	ingest.<shard>    EVENT frames            → the ingester that owns the shard
//	req.<shard>       REQ, credit, stop       → the reqworker that owns the shard
//	sub.<shard>       watches                 → the monitor that owns the shard
//	neg.<shard>       NEG-OPEN, -MSG, -CLOSE  → the negentropy stage's owner
//	write             admitted events         → the writer
//	scan              query slices            → the writer (request and reply)
//	log               committed entries       → every follower
//	log.fetch         a range of the log      → the writer (request and reply)
//	out.<instance>    answers and deliveries  → one gateway (or importer)
//	member.<stage>    announcements           → whoever follows that stage
//	hello             "announce yourselves"   → everybody
//	up                restarts, their progress → the supervisor of rhea up, an operator's command
//	reply.<asker>.…   replies to requests     → a process of the stage, or command, that asked
//
// The package knows nothing of messages, connections or NATS itself. Its values
// are plain and safe for concurrent use.
package subject

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of the bus protocol, the second token of every subject.
const Version = "v1"

// DefaultPrefix is the first token of every subject unless configured otherwise.
const DefaultPrefix = "rhea"

// Space builds the subjects of one deployment. Several deployments can share a
// NATS system under different prefixes. The zero value is not usable; see New.
type Space struct {
	root   string
	shards Shard
}

// DefaultShards is the number of shards of a deployment unless configured.
const DefaultShards = 16

// MaxShards bounds the number of shards; NATS caches 512 subjects a connection.
const MaxShards = 128

// New returns the subjects under prefix with the given number of shards, which
// must be a power of two from 1 to MaxShards and the same in every process of a
// deployment. The prefix is one or more NATS tokens of letters, digits, - and _.
func New(prefix string, shards int) (Space, error) {
	if prefix == "" || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" ||
		strings.HasPrefix(prefix, ".") || strings.HasSuffix(prefix, ".") || strings.Contains(prefix, "..") {
		return Space{}, fmt.Errorf("subject: prefix %q is not made of NATS tokens", prefix)
	}
	if shards < 1 || shards > MaxShards || shards&(shards-1) != 0 {
		return Space{}, fmt.Errorf("subject: %d shards: want a power of two from 1 to %d", shards, MaxShards)
	}
	return Space{root: prefix + "." + Version + ".", shards: Shard(shards)}, nil
}

// Shards returns how many shards the deployment has.
func (s Space) Shards() int { return int(s.shards) }

// ShardOf returns the shard that owns a connection's work in every stage.
func (s Space) ShardOf(c ConnID) Shard { return Shard(uint64(c) & uint64(s.shards-1)) }

// Ingest is the inbox of EVENT frames of one shard.
func (s Space) Ingest(sh Shard) string { return s.sharded("ingest", sh) }

// Req is the inbox of queries of one shard.
func (s Space) Req(sh Shard) string { return s.sharded("req", sh) }

// Sub is the inbox of live subscriptions of one shard.
func (s Space) Sub(sh Shard) string { return s.sharded("sub", sh) }

// Neg is the inbox of negentropy sessions of one shard.
func (s Space) Neg(sh Shard) string { return s.sharded("neg", sh) }

// Write is the writer's inbox of admitted events.
func (s Space) Write() string { return s.root + "write" }

// Scan is the writer's inbox of query slices.
func (s Space) Scan() string { return s.root + "scan" }

// Log is where the writer publishes what it has committed.
func (s Space) Log() string { return s.root + "log" }

// LogFetch is the writer's inbox of requests for a range of the log.
func (s Space) LogFetch() string { return s.root + "log.fetch" }

// Out is the inbox of one gateway, or of another sender of EVENT frames.
func (s Space) Out(to Instance) string { return s.root + "out." + to.String() }

// Member is where the processes of one stage announce themselves.
func (s Space) Member(st Stage) string { return s.root + "member." + string(st) }

// Members matches the announcements of every stage.
func (s Space) Members() string { return s.root + "member.*" }

// Hello asks every process to announce itself at once.
func (s Space) Hello() string { return s.root + "hello" }

// Up is where an operator's command and the supervisor of rhea up talk.
func (s Space) Up() string { return s.root + "up" }

// Replies is the prefix of the subjects on which replies to a stage's, or a
// command's, requests arrive.
func (s Space) Replies(asker string) string { return s.root + "reply." + asker }

// All matches every subject of the deployment.
func (s Space) All() string { return s.root + ">" }

func (s Space) sharded(inbox string, sh Shard) string {
	return s.root + inbox + "." + strconv.Itoa(int(sh))
}

// ParseShard returns the shard that a subject built by Ingest, Req, Sub or Neg
// names. It fails for every other subject and for shards out of range.
func (s Space) ParseShard(subject string) (Shard, error) {
	rest, ok := strings.CutPrefix(subject, s.root)
	if !ok {
		return 0, fmt.Errorf("subject: %q is not under %q", subject, s.root)
	}
	_, key, ok := strings.Cut(rest, ".")
	if !ok {
		return 0, fmt.Errorf("subject: %q names no shard", subject)
	}
	n, err := strconv.ParseUint(key, 10, 16)
	if err != nil || n >= uint64(s.shards) {
		return 0, fmt.Errorf("subject: %q: no such shard", subject)
	}
	return Shard(n), nil
}

// Shard is one of a fixed number of slices of all connections.
type Shard uint16

// Seq is the position of an entry in the log: 1 for the first, dense, never
// reused in the life of a store. 0 is "before the first".
type Seq uint64

// Stage names one of the six stages, as in subjects, metrics and logs.
type Stage string

// The stages.
const (
	Gateway    Stage = "gateway"
	Ingester   Stage = "ingester"
	Writer     Stage = "writer"
	Reqworker  Stage = "reqworker"
	Monitor    Stage = "monitor"
	Negentropy Stage = "negentropy"
)

// Stages lists all stages in the order in which they are started: what is
// nearer the store first.
func Stages() []Stage {
	return []Stage{Writer, Monitor, Reqworker, Ingester, Negentropy, Gateway}
}

// Instance identifies one run of one process: random, new at every start, never
// 0 for a real one.
type Instance uint32

// String returns the instance as it stands in subjects and logs: 8 hex digits.
func (i Instance) String() string { return fmt.Sprintf("%08x", uint32(i)) }

// ConnID identifies a client connection: the gateway's instance in the high 32
// bits and a counter in the low ones. It is not reused in the life of a bus, up
// to the chance (n²/2³³ for n gateway starts) that two starts draw the same
// instance.
type ConnID uint64

// MakeConnID joins the two halves.
func MakeConnID(gw Instance, counter uint32) ConnID {
	return ConnID(uint64(gw)<<32 | uint64(counter))
}

// Gateway returns the instance of the gateway that holds the connection.
func (c ConnID) Gateway() Instance { return Instance(c >> 32) }

// String returns the id as it stands in logs: instance, dash, counter.
func (c ConnID) String() string {
	return c.Gateway().String() + "-" + strconv.FormatUint(uint64(uint32(c)), 10)
}
