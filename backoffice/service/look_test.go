package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/service/servicetest"
)

// To look at a file is to read. Who may only read sends nothing, and whoever may only send looks too.
func TestAViewerLooksAtAFile(t *testing.T) {
	k, c, _ := servicetest.World(t, nil)
	tokens := people(&c)
	o := start(t, k, c, tokens["olga"])
	o.caughtUp()
	const file = "tradeNo,amount\nT1,x\n"
	for _, test := range []struct {
		who, query string
		status     int
		says       string
	}{
		{"victor", "?dry_run=true", http.StatusUnprocessableEntity, `"problems":[{"line":`},
		{"anna", "?dry_run=true", http.StatusUnprocessableEntity, `"problems":[{"line":`},
		{"olga", "?dry_run=true", http.StatusUnprocessableEntity, `"problems":[{"line":`},
		{"victor", "", http.StatusForbidden, "you need the role operator"},
		{"victor", "?dry_run=false", http.StatusForbidden, "you need the role operator"},
		{"anna", "", http.StatusForbidden, "you need the role operator"},
		{"", "?dry_run=true", http.StatusUnauthorized, "give your token"},
	} {
		if status, text := o.post("/batches"+test.query, tokens[test.who], "text/csv", []byte(file)); status != test.status || !strings.Contains(string(text), test.says) {
			t.Errorf("%s%s: %d %s, want %d %q", test.who, test.query, status, text, test.status, test.says)
		}
	}
	if written := k.Read(t, c.Kafka.Topics.Commands, 0); len(written) != 0 {
		t.Errorf("%d commands were published", len(written))
	}
}

// Of what is wrong with an action one answer has all, whatever finds it.
func TestEverythingThatIsWrongWithAnAction(t *testing.T) {
	k, c, _ := servicetest.World(t, nil)
	tokens := people(&c)
	o := start(t, k, c, tokens["olga"])
	o.caughtUp()
	for body, says := range map[string][]string{
		`{"kind":"resolve","scope":"fleet"}`:                            {"must say why", "resolve is for payout:TRADENO", "must be paid or failed"},
		`{"kind":"pause","scope":"nowhere","by":"eve"}`:                 {"must say why", "a scope is fleet", "unexpected property"},
		`{"kind":"dance","reason":"x"}`:                                 {"expected value to be one of"},
		`{"kind":"ask","scope":"payout:T1","reason":"x","lifts":["A"]}`: {"is for resume only"},
		`{"kind":"resume","scope":"fleet","reason":" ","as":"paid"}`:    {"must say why", "as and force are for resolve only"},
		`{"kind":"confirm","reason":" "}`:                               {"must be the id", "must say why"},
	} {
		status, text := o.post("/actions", tokens["both"], "application/json", []byte(body))
		var problem api.Problem
		if err := json.Unmarshal(text, &problem); status != http.StatusUnprocessableEntity || err != nil {
			t.Errorf("%s: %d %s %v", body, status, text, err)
		}
		for _, one := range says {
			if n := strings.Count(string(text), one); n != 1 {
				t.Errorf("%s: %q stands %d times in %s", body, one, n, text)
			}
		}
	}
}

// A day is its first moment in UTC.
func TestTimesInQuestions(t *testing.T) {
	k, c, token := servicetest.World(t, nil)
	o := start(t, k, c, token)
	o.caughtUp()
	for text, want := range map[string]int{"2026-11-01": 200, "2026-11-01T00:00:00Z": 200, "2026-11-01T00:00:00.5%2B02:00": 200, "": 200, "1.11.2026": 422, "2026-11-31": 422} {
		for _, list := range []string{"payouts", "records", "dead-letters"} {
			if status, answer := o.do(fmt.Sprintf("/api/v1/%s?since=%s&until=%s", list, text, text), token); status != want {
				t.Errorf("%s since %q: %d %s", list, text, status, answer)
			}
		}
	}
}
