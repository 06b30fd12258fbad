//go:build real

package e2e

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
)

// needle are people's data and secrets that must be found nowhere.
type needle struct {
	texts   map[string]bool // to be looked for as they are
	numbers map[string]bool // long numbers, to be compared with the numbers in a text
}

var longNumber = regexp.MustCompile(`[0-9]{10,}`)

// needles gathers everything personal in a payroll, and the secrets.
func needles(lines []string) needle {
	n := needle{texts: map[string]bool{secretEG: true, secretBR: true, "@example.com": true}, numbers: map[string]bool{}}
	for _, line := range lines {
		var message map[string]any
		if json.Unmarshal([]byte(line), &message) == nil {
			n.gather(message)
		}
	}
	return n
}

func (n needle) gather(message map[string]any) {
	if many, ok := message["payouts"].([]any); ok {
		for _, one := range many {
			if o, ok := one.(map[string]any); ok {
				n.gather(o)
			}
		}
	}
	payee, ok := message["payee"].(map[string]any)
	if !ok {
		return
	}
	for _, v := range payee {
		text, ok := v.(string)
		switch {
		case !ok || len(text) < 5: // CPF
		case longNumber.FindString(text) == text:
			n.numbers[text] = true
		case !bytes.ContainsRune([]byte(text), '@'): // those share one needle
			n.texts[text] = true
		}
	}
}

// in fails the test if a text holds any of it.
func (n needle) in(t *testing.T, where string, text []byte) {
	t.Helper()
	for one := range n.texts {
		if bytes.Contains(text, []byte(one)) {
			t.Errorf("%s: shows %q", where, one)
		}
	}
	for _, number := range longNumber.FindAll(text, -1) {
		if n.numbers[string(number)] {
			t.Errorf("%s: shows %q", where, number)
		}
	}
}
