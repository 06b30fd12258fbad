package money

import (
	"encoding/json"
	"testing"
)

func TestAnAmountSurvivesJSON(t *testing.T) {
	for _, text := range []string{"300", "300.50", "0.00"} {
		a, _ := Read(text)
		raw, err := json.Marshal(map[string]Amount{"a": a})
		if err != nil || string(raw) != `{"a":"`+a.String()+`"}` {
			t.Errorf("%s, %v", raw, err)
		}
		var back map[string]Amount
		if err := json.Unmarshal(raw, &back); err != nil || back["a"] != a {
			t.Errorf("%s comes back as %v, %v", text, back, err)
		}
	}
	var none Amount
	if raw, err := json.Marshal(none); err != nil || string(raw) != `""` || json.Unmarshal(raw, &none) != nil || !none.IsZero() {
		t.Errorf("none: %s, %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`"1e3"`), &none); err == nil {
		t.Error("1e3 is an amount")
	}
}
