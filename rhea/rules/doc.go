// Package rules holds the repository to what its documents promise: the arrows
// between modules, a documentation comment for every package, the same spine in
// every stage. The rules are tests, and each says why when it fails.
//
// It reads what `go list` and `git ls-files` tell and the files themselves; there
// is no code here to be used.
package rules
