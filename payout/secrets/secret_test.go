package secrets

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const key = "sk-live-4f9e"

func TestASecretPrintsStars(t *testing.T) {
	for name, value := range map[string]any{
		"secret": New(key), "no secret": Secret{}, "pointer": new(New(key)), "map key": map[Secret]int{New(key): 1},
		"in a struct": struct{ Key Secret }{New(key)}, "in any": []any{New(key)}, "wrapped": errors.Join(fmt.Errorf("sign with %s", New(key))),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%10s", "%-40v", "%.2s", "%U"} {
			printed := fmt.Sprintf(verb, value)
			for _, form := range []string{key, fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), strings.Trim(fmt.Sprint([]byte(key)), "[]")} {
				if strings.Contains(printed, form) {
					t.Errorf("%s by %s prints %s", name, verb, printed)
				}
			}
			if _, alone := value.(Secret); alone && printed != stars {
				t.Errorf("%s by %s prints %s", name, verb, printed)
			}
		}
		if raw, err := json.Marshal(value); err == nil && strings.Contains(string(raw), key) {
			t.Errorf("%s as JSON: %s", name, raw)
		}
		if raw, err := xml.Marshal(value); err == nil && strings.Contains(string(raw), key) {
			t.Errorf("%s as XML: %s", name, raw)
		}
	}
	if raw, err := json.Marshal(New(key)); err != nil || string(raw) != `"***"` {
		t.Errorf("as JSON: %s, %v", raw, err)
	}
}

func TestRevealIsTheOneDoorToASecret(t *testing.T) {
	if New(key).Reveal() != key || !New("").IsEmpty() || New(key).IsEmpty() {
		t.Error("what went in doesn't come out")
	}
}
