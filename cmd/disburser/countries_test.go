package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"disburser/paypro"
)

// The document is what the program checks commands by.
func TestTheCountriesDocumentIsUpToDate(t *testing.T) {
	const file = "../../docs/countries.md"
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != markdown(paypro.Sheets()) {
		t.Error("docs/countries.md is not what the program says: make countries")
	}
}

func TestEveryCountryIsPrinted(t *testing.T) {
	for _, s := range paypro.Sheets() {
		text := plain(s)
		wanted := []string{s.Name, s.Currency, s.Amount, s.Paths.Send, "unverified:"}
		for _, p := range s.Payee {
			wanted = append(wanted, "payee."+p.Name, p.Rule)
		}
		wanted = append(wanted, s.Unverified...)
		for _, want := range wanted {
			if want == "" || !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", s.Name, want, text)
			}
		}
		if s.AnyPayee != (len(s.Payee) == 0) || s.AnyPayee != strings.Contains(text, anyPayee) {
			t.Errorf("%s: any payee is %v:\n%s", s.Name, s.AnyPayee, text)
		}
	}
	if all := names(paypro.Sheets()); len(all) != 12 || !slices.IsSorted(all) {
		t.Errorf("countries %v", all)
	}
}
