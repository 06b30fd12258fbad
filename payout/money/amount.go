package money

import (
	"errors"
	"strings"
)

// maxAmountDigits bounds an amount's text. No currency needs more: 15 digits are
// a million billions, and four decimals are the most that ISO 4217 knows.
const maxAmountDigits = 24

// Amount is an exact decimal amount of money, kept as its digits and never as a
// float. The zero Amount means "none given".
type Amount struct{ text string }

// ParseAmount reads the amount of a command, which is as ReadAmount reads it and more than
// zero: nobody is paid nothing.
func Parse(text string) (Amount, error) {
	a, err := Read(text)
	if err == nil && a.Canonical() == "0" {
		return Amount{}, errors.New("must be more than zero")
	}
	return a, err
}

// ReadAmount reads plain digits with an optional fraction ("300", "300.50"). No sign, no
// exponent, no grouping. Commands and the provider's answers are read by it alone, so that
// neither takes what the other can't.
func Read(text string) (Amount, error) {
	whole, fraction, pointed := strings.Cut(text, ".")
	switch {
	case text == "":
		return Amount{}, errors.New("is empty")
	case len(text) > maxAmountDigits:
		return Amount{}, errors.New("is longer than 24 characters")
	case !digits(whole) || pointed && !digits(fraction):
		return Amount{}, errors.New("must be plain digits with an optional fraction, such as 300 or 300.50")
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if pointed {
		whole += "." + fraction
	}
	return Amount{whole}, nil
}

// digits tells whether text is one or more ASCII digits.
func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// String is the amount as it was ordered, less leading zeros: what is sent to the
// provider and written into results.
func (a Amount) String() string { return a.text }

// MarshalText is the amount's text, so that JSON and the like don't lose it.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Amount) UnmarshalText(text []byte) (err error) {
	if *a = (Amount{}); len(text) > 0 {
		*a, err = Read(string(text))
	}
	return err
}

// IsZero tells that no amount was given.
func (a Amount) IsZero() bool { return a.text == "" }

// HasPoint tells whether the amount was written with a decimal point; countries
// with integer amounts take none at all, not even "300.00".
func (a Amount) HasPoint() bool { return strings.Contains(a.text, ".") }

// Decimals is how many digits were written behind the point, zeros too.
func (a Amount) Decimals() int {
	_, fraction, _ := strings.Cut(a.text, ".")
	return len(fraction)
}

// Canonical is the shortest text of the same value: 300.00 and 300 are both "300".
func (a Amount) Canonical() string {
	if !a.HasPoint() {
		return a.text
	}
	return strings.TrimSuffix(strings.TrimRight(a.text, "0"), ".")
}

// Compare orders two amounts by value: -1, 0 or +1.
func (a Amount) Compare(b Amount) int {
	aw, af, _ := strings.Cut(a.Canonical(), ".")
	bw, bf, _ := strings.Cut(b.Canonical(), ".")
	if len(aw) != len(bw) {
		if len(aw) < len(bw) {
			return -1
		}
		return 1
	}
	if c := strings.Compare(aw, bw); c != 0 {
		return c
	}
	return strings.Compare(af, bf)
}
