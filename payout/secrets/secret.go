package secrets

import "fmt"

// stars are what a secret looks like wherever it is printed.
const stars = "***"

// Secret is a key or password. Every way of printing it prints ***; Reveal is the
// one door.
type Secret struct{ text *string } // a pointer: fmt can't look behind it, not even in an unexported field

// NewSecret wraps text.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the secret in clear, for signing and for logging in.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty tells that no secret was given.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

// Format prints *** for every verb, %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(stars)) }

// String prints ***.
func (s Secret) String() string { return stars }

// MarshalText prints ***, so that JSON, YAML and logs do too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }
