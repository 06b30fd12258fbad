package money

import (
	"math/big"
	"strings"
	"testing"
)

func TestParseAmount(t *testing.T) {
	for _, test := range []struct{ text, written, canonical string }{
		{"300", "300", "300"},
		{"300.00", "300.00", "300"},
		{"300.50", "300.50", "300.5"},
		{"00300", "300", "300"},
		{"000.50", "0.50", "0.5"},
		{"0.01", "0.01", "0.01"},
		{"100", "100", "100"},
		{"10.10", "10.10", "10.1"},
		{"999999999999999999999999", "999999999999999999999999", "999999999999999999999999"},
		{"0.0000000000000000000001", "0.0000000000000000000001", "0.0000000000000000000001"},
	} {
		a, err := Parse(test.text)
		if err != nil || a.String() != test.written || a.Canonical() != test.canonical || a.IsZero() {
			t.Errorf("%q: %q, canonical %q, %v", test.text, a.String(), a.Canonical(), err)
		}
		if a.HasPoint() != strings.Contains(test.text, ".") {
			t.Errorf("%q: has a point %v", test.text, a.HasPoint())
		}
	}
}

func TestParseAmountRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "0", "00", "0.0", "0.000", "-5", "+5", "1e3", "1E3", "300.", ".5", ".", "1.2.3", "1,000", "1 000", "1_000",
		" 300", "300 ", "300\n", "٣٠٠", "３００", "0x10", "NaN", "Inf", "½", "300\x00", "1000000000000000000000000", "0.00000000000000000000001",
	} {
		a, err := Parse(text)
		if err == nil || !a.IsZero() || a.Canonical() != "" {
			t.Errorf("%q became %q, %v", text, a, err)
		}
	}
}

func TestCompareGoesByValue(t *testing.T) {
	ascending := []string{"0.001", "0.01", "0.05", "0.1", "0.45", "0.5", "1", "1.05", "1.5", "2", "9.99", "10", "10.0001", "99", "100", "300", "1000", "999999999999999999999999"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := mustParse(t, a).Compare(mustParse(t, b)); got != want {
				t.Errorf("%s to %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, same := range [][2]string{{"300", "300.00"}, {"0300.0", "300"}, {"0.5", "00.500"}} {
		if mustParse(t, same[0]).Compare(mustParse(t, same[1])) != 0 {
			t.Errorf("%v differ", same)
		}
	}
	if none := (Amount{}); none.Compare(mustParse(t, "0.01")) != -1 || none.Compare(none) != 0 || !none.IsZero() {
		t.Error("no amount at all is not the least")
	}
}

func TestDecimalsAreThoseThatWereWritten(t *testing.T) {
	for text, want := range map[string]int{"300": 0, "300.5": 1, "300.00": 2, "0.30000000000000004": 17} {
		if got := mustParse(t, text).Decimals(); got != want {
			t.Errorf("%s has %d decimals, want %d", text, got, want)
		}
	}
}

// An answer may say that nothing was paid; a command can't order it.
func TestOnlyAnAnswerMaySayZero(t *testing.T) {
	for _, text := range []string{"0", "0.00", "000"} {
		if a, err := Read(text); err != nil || a.Canonical() != "0" {
			t.Errorf("%s in an answer: %v, %v", text, a, err)
		}
		if _, err := Parse(text); err == nil {
			t.Errorf("%s can be ordered", text)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range [][2]string{{"300", "300.00"}, {"0.5", ".5"}, {"00300", "3e2"}, {"10", "9"}, {"1.05", "1.5"}, {"-5", "+5"}, {"999999999999999999999999", "0"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, x, y string) {
		a, err := Parse(x)
		if err != nil {
			if !a.IsZero() || (x != "" && strings.Contains(err.Error(), x) && len(x) > 4) {
				t.Fatalf("%q: %q, %v", x, a, err)
			}
			return
		}
		value, ok := new(big.Rat).SetString(x)
		if !ok || value.Sign() <= 0 {
			t.Fatalf("%q is no positive number, yet it became %q", x, a)
		}
		for _, text := range []string{a.String(), a.Canonical()} {
			again, err := Parse(text)
			if err != nil || again.Compare(a) != 0 || again.Canonical() != a.Canonical() {
				t.Fatalf("%q written as %q reads as %q, %v", x, text, again, err)
			}
			if same, ok := new(big.Rat).SetString(text); !ok || same.Cmp(value) != 0 {
				t.Fatalf("%q became %q", x, text)
			}
		}
		if a.HasPoint() != strings.Contains(x, ".") {
			t.Fatalf("%q became %q", x, a)
		}
		b, err := Parse(y)
		if err != nil {
			return
		}
		other, _ := new(big.Rat).SetString(y)
		c := a.Compare(b)
		if c != value.Cmp(other) || c != -b.Compare(a) || (c == 0) != (a.Canonical() == b.Canonical()) {
			t.Fatalf("%q to %q: %d", x, y, c)
		}
	})
}

func mustParse(t testing.TB, text string) Amount {
	t.Helper()
	a, err := Parse(text)
	if err != nil {
		t.Fatalf("ParseAmount(%q): %v", text, err)
	}
	return a
}
