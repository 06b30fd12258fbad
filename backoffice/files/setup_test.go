package files

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"disburser/internal/rules"
)

var now = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

const configuration = `
merchants:
  eg-main: {country: egypt}
  id-main: {country: indonesia}
  ke-main: {country: kenya}
  pk-main: {country: pakistan}
  br-main: {country: brazil}
  mx-main: {country: mexico}
  ng-main: {country: nigeria}
`

// merchants are those of a configuration.
func merchants(t testing.TB, text string) rules.Merchants {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := rules.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// only is a configuration with one merchant.
func only(t testing.TB, country string) rules.Merchants {
	return merchants(t, "merchants: {main: {country: "+country+"}}")
}

func checked(t testing.TB, all rules.Merchants, file string) Report {
	t.Helper()
	report, err := Check(strings.NewReader(file), all, now)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// withErrors is the file with its column of errors.
func withErrors(t testing.TB, all rules.Merchants, file string, problems []Problem) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteErrors(strings.NewReader(file), &out, problems, all); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
