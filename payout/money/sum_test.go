package money

import (
	"math/big"
	"testing"
)

func TestSumsAreExact(t *testing.T) {
	for _, c := range []struct {
		add, subtract []string
		want          string
	}{
		{nil, nil, "0"},
		{[]string{"0.1", "0.2"}, nil, "0.3"},
		{[]string{"300", "0.005", "99.995"}, nil, "400"},
		{[]string{"0.05"}, nil, "0.05"},
		{[]string{"999999999999999999999999", "1"}, nil, "1000000000000000000000000"},
		{[]string{"0.0000000000000000000001", "1"}, []string{"1"}, "0.0000000000000000000001"},
		{[]string{"1"}, []string{"1.5"}, "-0.5"},
	} {
		var s Sum
		for _, text := range c.add {
			s.Add(mustParse(t, text))
		}
		for _, text := range c.subtract {
			s.Subtract(mustParse(t, text))
		}
		if s.Add(Amount{}); s.String() != c.want {
			t.Errorf("%v less %v: %s, want %s", c.add, c.subtract, s.String(), c.want)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add("300", "0.05", "99.9")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var s Sum
		want := new(big.Rat)
		for i, text := range []string{a, b, c} {
			amount, err := Read(text)
			if err != nil {
				return
			}
			value, _ := new(big.Rat).SetString(amount.String())
			if i == 1 {
				s.Subtract(amount)
				want.Sub(want, value)
			} else {
				s.Add(amount)
				want.Add(want, value)
			}
		}
		if got, ok := new(big.Rat).SetString(s.String()); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%s - %s + %s is %s", a, b, c, s.String())
		}
	})
}
