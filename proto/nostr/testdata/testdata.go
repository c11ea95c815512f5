// Package testdata carries the real events of README.md, so that tests of any
// module find them without knowing where this one lies.
package testdata

import _ "embed"

// Events is events.jsonl.gz.
//
//go:embed events.jsonl.gz
var Events []byte
