package money

import (
	"math/big"
	"strings"
)

// Sum adds amounts up exactly. Its zero value is nothing.
type Sum struct {
	units    big.Int // of 10^-decimals
	decimals int
}

// Add adds an amount; one that isn't given adds nothing.
func (s *Sum) Add(a Amount) { s.add(a, 1) }

// Subtract takes an amount away.
func (s *Sum) Subtract(a Amount) { s.add(a, -1) }

func (s *Sum) add(a Amount, sign int64) {
	if a.IsZero() {
		return
	}
	whole, fraction, _ := strings.Cut(a.Canonical(), ".")
	var units big.Int
	units.SetString(whole+fraction, 10) // digits only: an Amount has no others
	decimals := len(fraction)
	if decimals < s.decimals {
		units.Mul(&units, power(s.decimals-decimals))
	} else if decimals > s.decimals {
		s.units.Mul(&s.units, power(decimals-s.decimals))
		s.decimals = decimals
	}
	s.units.Add(&s.units, units.Mul(&units, big.NewInt(sign)))
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// String is the shortest text of the sum: "1500", "0.05", "-3".
func (s *Sum) String() string {
	digits := new(big.Int).Abs(&s.units).String()
	if missing := s.decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, fraction := digits[:len(digits)-s.decimals], strings.TrimRight(digits[len(digits)-s.decimals:], "0")
	if fraction != "" {
		whole += "." + fraction
	}
	if s.units.Sign() < 0 {
		whole = "-" + whole
	}
	return whole
}
