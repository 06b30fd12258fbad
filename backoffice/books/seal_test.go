package books

import (
	"testing"

	"disburser/payout"
	"disburser/payout/secrets"
)

func TestSealsOpenWithTheirKeyOnly(t *testing.T) {
	key, other := NewSealer(secrets.New("one key")), NewSealer(secrets.New("another key"))
	const one, two payout.Fingerprint = "cqIYBLrDfOItBWxG", "____________----"
	for _, f := range []payout.Fingerprint{one, two} {
		seal := key.Of(f)
		if back, ok := key.Open(seal); !ok || back != f {
			t.Errorf("%s is sealed as %s and opened as %q", f, seal, back)
		}
		if back, ok := other.Open(seal); ok {
			t.Errorf("another key opens %s: %s", f, back)
		}
		if other.Of(f) == seal || seal != NewSealer(secrets.New("one key")).Of(f) {
			t.Errorf("the seal of %s doesn't follow from it and the key", f)
		}
	}
	if key.Of(one) == key.Of(two) {
		t.Error("two contents have one seal")
	}
	for _, none := range []payout.Fingerprint{"", "short", "cqIYBLrDfOItBWxG=", "cqIYBLrD fOItBWx", "\r\nIYBLrDfOItBWxG"} {
		if seal := key.Of(none); seal != "" {
			t.Errorf("%q is sealed as %s", none, seal)
		}
	}
	for _, none := range []Seal{"", "AAAA", "cqIYBLrDfOItBWxGcqIYBL"} {
		if back, ok := key.Open(none); ok {
			t.Errorf("%q opens as %s", none, back)
		}
	}
}
