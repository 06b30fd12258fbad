package payout

import (
	"fmt"
	"iter"
	"maps"
	"slices"
)

// hidden is what people's data and secrets look like wherever they are printed.
const hidden = "***"

// Payee is who gets the money: the country's Paypro fields by their Paypro names (customerName,
// walletId, …). All of it is people's data, so every way of printing a Payee prints ***. Only
// Reveal and Revealed show it, for the request to the provider and for the journal.
type Payee struct{ fields *map[string]string } // a pointer: fmt can't look behind it, not even in an unexported field

// NewPayee keeps the non-empty fields; an empty one is as good as absent, also
// for the provider's signature.
func NewPayee(fields map[string]string) Payee {
	kept := make(map[string]string, len(fields))
	for name, value := range fields {
		if value != "" {
			kept[name] = value
		}
	}
	return Payee{&kept}
}

// Reveal returns the fields in clear. The map is the caller's own.
func (p Payee) Reveal() map[string]string { return maps.Clone(p.all()) }

// Revealed goes through the fields in clear, in no order. Unlike Reveal it copies nothing.
func (p Payee) Revealed() iter.Seq2[string, string] { return maps.All(p.all()) }

func (p Payee) all() map[string]string {
	if p.fields == nil {
		return nil
	}
	return *p.fields
}

// Field returns one field in clear, "" if absent.
func (p Payee) Field(name string) string { return p.all()[name] }

// IsEmpty tells that there is no field.
func (p Payee) IsEmpty() bool { return len(p.all()) == 0 }

// names lists the field names in order; names are no people's data.
func (p Payee) names() []string { return slices.Sorted(maps.Keys(p.all())) }

// Format prints *** for every verb, %#v included.
func (p Payee) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(hidden)) }

// String prints ***.
func (p Payee) String() string { return hidden }

// MarshalJSON prints "***", so that no log or dump can carry a payee by accident.
func (p Payee) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText prints ***.
func (p Payee) MarshalText() ([]byte, error) { return []byte(hidden), nil }
