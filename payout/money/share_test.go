package money

import "testing"

func TestShareIsComparedByValue(t *testing.T) {
	for _, test := range []struct {
		ordered, paid string
		want          Share
	}{
		{"300", "300", ShareAll},
		{"300", "300.00", ShareAll},
		{"300", "0300.0000", ShareAll},
		{"300.50", "300.5", ShareAll},
		{"300", "30", SharePart},
		{"300", "299.999999999999", SharePart},
		{"300", "300.000000000001", ShareMore},
		{"300", "30000", ShareMore},
		{"9999999999999999", "10000000000000000", ShareMore}, // equal as floats
		{"300", "0", ShareNothing},
		{"300", "0.00", ShareNothing},
		{"300", "-300", ShareUnknown},
		{"300", "", ShareUnknown},
		{"300", "***", ShareUnknown},
		{"300", "3e2", ShareUnknown},
		{"300", "1e999999999", ShareUnknown},
		{"300", "900/3", ShareUnknown},
		{"300", "300.", ShareUnknown},
		{"300", ".5", ShareUnknown},
		{"300", "+300", ShareUnknown},
		{"300", "0x12c", ShareUnknown},
	} {
		if got := mustParse(t, test.ordered).ShareOf(test.paid); got != test.want {
			t.Errorf("%q of %q: got %v, want %v", test.paid, test.ordered, got, test.want)
		}
	}
	if (Amount{}).ShareOf("300") != ShareUnknown {
		t.Error("compared with no amount")
	}
}
