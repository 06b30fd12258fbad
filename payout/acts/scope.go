package acts

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ScopeKind is what a scope names.
type ScopeKind string

// The kinds of scopes, from the widest to the narrowest.
const (
	Fleet    ScopeKind = "fleet" // everything
	Merchant ScopeKind = "merchant"
	Batch    ScopeKind = "batch"
	Payout   ScopeKind = "payout"
)

// ScopeKinds lists them all.
var ScopeKinds = []ScopeKind{Fleet, Merchant, Batch, Payout}

// Scope is what an action is about. The fleet has no name.
type Scope struct {
	Kind ScopeKind
	Name string
}

// longestName is how many bytes a scope's name may have: a batchId has 200 characters at most.
const longestName = 4 * 200

var errScope = errors.New("a scope is fleet, merchant:NAME, batch:ID or payout:TRADENO")

// ParseScope reads a scope as a record or a person writes it: "fleet", "merchant:eg-main". Nobody need
// know what it names.
func ParseScope(text string) (Scope, error) {
	if text == string(Fleet) {
		return Scope{Kind: Fleet}, nil
	}
	kind, name, found := strings.Cut(text, ":")
	s := Scope{ScopeKind(kind), name}
	if !found || name == "" || len(name) > longestName || !utf8.ValidString(name) {
		return Scope{}, errScope
	}
	switch s.Kind {
	case Merchant, Batch, Payout:
		return s, nil
	default:
		return Scope{}, errScope
	}
}

// String writes it as ParseScope reads it.
func (s Scope) String() string {
	if s.Kind == Fleet {
		return string(Fleet)
	}
	return string(s.Kind) + ":" + s.Name
}

// narrow tells that it is less than a merchant.
func (s Scope) narrow() bool { return s.Kind == Batch || s.Kind == Payout }

// isWord tells whether a text can be an id: 1 to 64 characters of ASCII that can be seen.
func isWord(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > unicode.MaxASCII || r == 0x7f
	})
}

// atMost cuts a text to so many characters.
func atMost(n int, text string) string {
	text = strings.ToValidUTF8(text, "")
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
