package payout

import (
	"encoding/json"
	"strings"
	"testing"
)

// json.Marshal knows neither amounts nor payees: it must not write half a command, nor a
// whole one into a log.
func TestACommandIsNoJSONByReflection(t *testing.T) {
	c := command(t)
	for name, v := range map[string]any{"command": c, "pointer": &c, "payout": received(t)} {
		if raw, err := json.Marshal(v); err == nil || !strings.Contains(err.Error(), "message.Encode") {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"tradeNo":"a"}`), new(Command)); err == nil || !strings.Contains(err.Error(), "message.Decode") {
		t.Errorf("read by reflection: %v", err)
	}
}
