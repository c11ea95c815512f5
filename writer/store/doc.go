// Package store keeps the events of a relay: the log, in which every accepted
// event has its place, and the indexes that lead into it. It is opened for
// writing by one process only.
//
// It owns the layout of the database, the decision on each event that arrives
// (new, duplicate, replaced, deleted, vanished, forged), the removal of what goes
// again, the Seqs, and the scan that answers
// filters. It refuses to know the bus, clients, policy and signatures: what it
// is given has been checked, and its ids are believed.
//
// # Order and ownership
//
// One goroutine calls Commit and Sweep; one, perhaps another, calls Wait for each Commit
// in turn. Commit decides and hands its batch to Pebble, and so the next batch
// can be decided while the disk still writes; Wait returns when it is written.
// Decisions see everything committed. Readers see only what has been waited for:
// a View is a snapshot taken right after a Commit, shown after its Wait.
//
//	goroutine    Commit 1 ── Commit 2 ──── Commit 3 ──
//	disk               └─ fsync 1 ─┐└── fsync 2 ──┐
//	goroutine                   Wait 1 → View 1  Wait 2 → View 2
//
// # What goes again
//
// An event that a newer version replaces, or that a deletion request (NIP-09)
// names, goes in the commit of that. A request to vanish (NIP-62) may cover any
// number of events: its commit only says so, under w, and every view from then on
// hides what it covers. Sweep removes that, and what has expired (NIP-40), in steps
// of some 500 events, fewer where they are large, each a Commit. A crash between steps
// leaves the key under w, and the steps go on after it.
//
// Few events can remove very many index keys. A Commit that grows large goes to Pebble
// in pieces, and its fsync, its View and its entries come with the last. A crash may
// leave the first: whole events, and of a deletion request some of what it removes.
//
// What has been deleted or has vanished leaves a tombstone, with which every event
// that arrives is compared:
//
//	d e   an id may not be stored for one pubkey, its author or, of a gift wrap
//	      (NIP-59), whom it is for; kinds 5 and 62 are exempt
//	d a   nothing as old as this may be stored under an address
//	v     nothing as old as this may be stored of an author, or as a gift wrap for
//	      him; kind 62 is exempt
//
// It costs one look-up for each kind of tombstone that the store has any of, and
// that could concern the event: some 1.4 us each.
//
// # Layout
//
// Format 4. Keys begin with the byte of their keyspace; numbers are big endian;
// "order" is ^created_at (8 bytes), the first 8 bytes of the id, and the Seq (8
// bytes), so that the keys of one value stand in the order of NIP-01: created_at
// descending, then id ascending. Events that agree in created_at and these 8
// bytes stand in the order of their Seqs; readers bring them into that of their
// ids.
//
//	space  key after the first byte          value
//	m      f                                 format version (4)
//	m      i                                 identity of the store (8)
//	m      s                                 head Seq (8), events (8), ephemeral entries dropped (8)
//	l      Seq (8)                           removals, header, body (see below)
//	i      id (32)                           Seq (8), created_at (8)
//	a      order                             kind (2), first 8 bytes of the pubkey: a brief
//	p      pubkey (32), order                –
//	k      kind (2), order                   –
//	q      pubkey (32), kind (2), order      –
//	t      name (1), tag value, order        kind (2): a brief
//	x      expiration (8), Seq (8)           –
//	r      pubkey (32), kind (2), and for    Seq (8), created_at (8), id (32)
//	       addressable kinds the d value
//	e      Seq (8)                           committed at, Unix milliseconds (8), id (32)
//	d      e, id (32), pubkey (32)           created_at of the request (8)
//	d      a, and an address as in r         created_at of the request (8), the largest
//	v      pubkey (32)                       created_at of the request (8), the largest
//	w      pubkey (32)                       the same, while its work is not done
//	u      reserved: tag and kind
//
// A brief spares readers the events that it rules out; keys that were set before format 4
// have none.
//
// A tag value is one byte and what it announces: 0 to 32, that many bytes of the
// value as it is; 0xfe, 32 bytes, the value being their 64 lowercase hex digits;
// 0xff, the SHA-256 of any other value longer than 32 bytes. No two values have
// the same form, no form is the beginning of another, and no key is longer than
// 69 bytes.
//
// A log value is a uvarint number of removals, 500 at the most, each a uvarint Seq,
// a uvarint created_at and an id (32); a uvarint length and the nostr.Header of that
// length; and the body, which stands for the JSON: what the header does not say of it,
// with the hex as bytes, or in stores of format 2 all of it. Header and body are empty
// where a step of Sweep, or a deletion request beyond its first 500 removals, has an
// entry of its own. When an event leaves the store, its entry goes too, except that one
// which itself lists removals stays as a stub with that list: a follower, wherever it
// stands, learns of every removal. Ephemeral events have an entry in l and a key in e
// for a few minutes, and nothing else.
package store
