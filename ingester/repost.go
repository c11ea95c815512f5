package ingester

import (
	"errors"
	"strings"

	"rhea/proto/nostr/strictjson"
)

// maxNesting bounds the recursion into the content of a repost.
const maxNesting = 32

// embedsProtected reports whether the content of a repost is the JSON of an event
// with a "-" tag (NIP-70). It is read as JSON, so that neither white space nor
// escapes nor further fields hide the tag, and text that merely contains `"-"` is
// not taken for one. Content that is not JSON embeds nothing.
//
// Where a more lenient parser could find a tag that this one does not come to
// (behind half a surrogate pair, or nesting beyond all sense), the answer is yes.
func embedsProtected(content string) bool {
	// A string that is "-" has no other spelling, and most reposts end here.
	if !strings.Contains(content, `"-"`) && !strings.Contains(content, `"\u002`) {
		return false
	}
	l := strictjson.New([]byte(content))
	if !l.Take('{') {
		return false
	}
	protected, err := hasProtectedTags(&l)
	if errors.Is(err, strictjson.ErrSurrogate) || errors.Is(err, strictjson.ErrDepth) {
		return true
	}
	return err == nil && l.End() && protected
}

// hasProtectedTags reads the members of an object whose brace is taken. Of several
// tags members each counts, because readers differ in which they keep.
func hasProtectedTags(l *strictjson.Lexer) (protected bool, err error) {
	err = each(l, '}', func() error {
		key, err := l.Key()
		if err != nil {
			return err
		}
		if key != "tags" || !l.Take('[') {
			return l.Skip(maxNesting)
		}
		return each(l, ']', func() error {
			isProtected, err := readTag(l)
			protected = protected || isProtected
			return err
		})
	})
	return protected, err
}

// readTag reads an element of tags, whatever it is, and reports whether it is a
// tag named "-".
func readTag(l *strictjson.Lexer) (protected bool, err error) {
	if !l.Take('[') {
		return false, l.Skip(maxNesting)
	}
	first := true
	err = each(l, ']', func() error {
		isName := first && l.Peek() == '"'
		first = false
		if !isName {
			return l.Skip(maxNesting)
		}
		name, err := l.String()
		protected = name == "-"
		return err
	})
	return protected, err
}

// each calls read for every element up to the closing bracket or brace.
func each(l *strictjson.Lexer, end byte, read func() error) error {
	if l.Take(end) {
		return nil
	}
	for {
		if err := read(); err != nil {
			return err
		}
		if l.Take(end) {
			return nil
		}
		if !l.Take(',') {
			return strictjson.ErrSyntax
		}
	}
}
