package payout

import (
	"encoding"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"disburser/payout/finding"
)

// hides fails where any of the values, in clear or as bytes in hex or numbers, stands in what was printed.
func hides(t *testing.T, how, printed string) {
	t.Helper()
	for _, value := range []string{personName, personWallet} {
		for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), strings.Trim(fmt.Sprint([]byte(value)), "[]")} {
			if strings.Contains(printed, form) {
				t.Errorf("%s prints %s", how, printed)
			}
		}
	}
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%10s", "%-40v", "%.2s", "%U"}

func TestAPayeePrintsStars(t *testing.T) {
	for name, value := range map[string]any{
		"payee": command(t).Payee, "no payee": Payee{},
		"payee pointer": new(command(t).Payee),
	} {
		for _, verb := range verbs {
			if got := fmt.Sprintf(verb, value); got != hidden {
				t.Errorf("%s by %s: %q", name, verb, got)
			}
		}
		if got := fmt.Sprint(value); got != hidden {
			t.Errorf("%s by Sprint: %q", name, got)
		}
		if got := fmt.Sprintf("%[2]*[1]v", value, 12); got != hidden {
			t.Errorf("%s with a width: %q", name, got)
		}
		if got := value.(fmt.Stringer).String(); got != hidden {
			t.Errorf("%s by String: %q", name, got)
		}
		text, err := value.(encoding.TextMarshaler).MarshalText()
		if err != nil || string(text) != hidden {
			t.Errorf("%s by MarshalText: %q, %v", name, text, err)
		}
		raw, err := json.Marshal(value)
		if err != nil || string(raw) != `"***"` {
			t.Errorf("%s as JSON: %s, %v", name, raw, err)
		}
	}
}

func TestNothingThatHoldsThemPrintsThem(t *testing.T) {
	c := command(t)
	p := received(t)
	for name, value := range map[string]any{
		"command": c, "command pointer": &c, "payout": p, "payout pointer": &p,

		"map": map[string]Payee{"a": c.Payee}, "any": []any{c.Payee},
		"struct": struct {
			Payee *Payee
		}{&c.Payee},
		"wrapped": errors.Join(fmt.Errorf("pay %v", c.Payee)),
	} {
		for _, verb := range verbs {
			hides(t, name+" by "+verb, fmt.Sprintf(verb, value))
		}
		if raw, err := json.Marshal(value); err == nil {
			hides(t, name+" as JSON", string(raw))
		}
		if raw, err := xml.Marshal(value); err == nil {
			hides(t, name+" as XML", string(raw))
		}
	}
	if printed := fmt.Sprintf("%+v", p); !strings.Contains(printed, hidden) || !strings.Contains(printed, p.TradeNo) {
		t.Errorf("a payout prints as %s", printed)
	}
	_, err := p.After(Ask, finding.Finding{Kind: finding.Paid}, t0, standard())
	hides(t, "an error", err.Error())
}

func TestRevealIsTheOneDoor(t *testing.T) {
	p := command(t).Payee
	fields := p.Reveal()
	if fields["walletId"] != personWallet || p.Field("customerName") != personName || p.Field("none") != "" {
		t.Fatal("what went in doesn't come out")
	}
	fields["walletId"] = "other"
	if p.Field("walletId") != personWallet {
		t.Error("the caller's map is the payee's own")
	}
	given := map[string]string{"walletId": personWallet, "email": ""}
	p = NewPayee(given)
	given["walletId"] = "other"
	if p.Field("walletId") != personWallet || len(p.Reveal()) != 1 {
		t.Errorf("%d fields, or changed from outside", len(p.Reveal()))
	}
	if len(Payee{}.Reveal()) != 0 {
		t.Error("empty ones")
	}
}
