package service_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/rules"
)

// What a word names and nobody knows is told with the answer. It is written all the same.
func TestWhatNobodyKnows(t *testing.T) {
	k, c, _ := servicetest.World(t, bookstest.NewRun(rand.New(rand.NewPCG(9, 9)), 12, partitions, false))
	tokens := people(&c)
	merchants, err := rules.Of(map[string]config.Merchant{"eg-main": {Country: "egypt"}, "br-main": {Country: "brazil"}})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{servicetest.StartFor(t, k, c, tokens["olga"], merchants), t}
	o.caughtUp()
	for _, test := range []struct{ kind, scope, warns string }{
		{"pause", "merchant:eg-mian", "no merchant eg-mian is configured: did you mean eg-main? The pause stands all the same."},
		{"pause", "merchant:eg-main", ""},
		{"pause", "fleet", ""},
		{"pause", "batch:bacth-1", "the books know no batch bacth-1: did you mean batch-1? The pause stands all the same."},
		{"pause", "batch:batch-1", ""},
		{"cancel", "batch:quite another", "the books know no batch quite another"},
		{"ask", "payout:T1", "the books know no payout T1"},
		{"ask", "payout:20261125-0000007", ""},
		{"resume", "merchant:eg-mian", ""},
	} {
		a := o.say(tokens["olga"], "?wait=0s", api.Word{Kind: test.kind, Scope: test.scope, Reason: "x"})
		if got := strings.Join(a.Warnings, "|"); got != test.warns {
			t.Errorf("%s %s warns %q, want %q", test.kind, test.scope, got, test.warns)
		}
	}
	if n := len(k.Read(t, c.Kafka.Topics.Actions, 0)); n != 9 {
		t.Errorf("%d actions are written", n)
	}
}
