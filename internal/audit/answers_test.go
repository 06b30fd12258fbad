package audit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/payout"
)

// What an answer loses is found: in count and in amount, in the whole and by merchant.
func TestAnswersThatLoseSomething(t *testing.T) {
	amounts := func(ordered, open, paid string) map[string]books.Amounts {
		return map[string]books.Amounts{"EGP": {Ordered: ordered, Open: open, Paid: paid}}
	}
	whole := func() api.Overview {
		return api.Overview{
			States: map[string]int{"held": 1, "paid": 2}, Amounts: amounts("30", "10", "20"),
			Merchants: map[string]api.Merchant{
				"a": {States: map[string]int{"held": 1, "paid": 1}, Amounts: amounts("20", "10", "10")}, "b": {States: map[string]int{"paid": 1}, Amounts: amounts("10", "0", "10")},
			},
		}
	}
	for name, c := range map[string]struct {
		change func(*api.Overview)
		want   string
	}{
		"nothing": {func(*api.Overview) {}, ""},
		"money":   {func(o *api.Overview) { o.Amounts = amounts("30", "9", "20") }, "account for 29.00"},
		"money of a merchant": {func(o *api.Overview) {
			o.Merchants["b"] = api.Merchant{States: o.Merchants["b"].States, Amounts: amounts("10", "0", "9")}
		}, "b: the books say that 10 EGP were ordered"},
		"a merchant": {func(o *api.Overview) { delete(o.Merchants, "b") }, "2 payouts are paid, and of the merchants 1"},
		"a currency": {func(o *api.Overview) { o.Amounts["BRL"] = books.Amounts{} }, " BRL were ordered, and of the merchants"},
	} {
		o := whole()
		c.change(&o)
		if found := strings.Join(Overview(o), "\n"); (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
	b := books.BatchValue{BatchID: "B", Seen: 2, States: map[string]int{"held": 1, "paid": 1}, Amounts: amounts("20", "10", "10")}
	if found := Batch(b); len(found) > 0 {
		t.Error(found)
	}
	if b.Seen = 3; len(Batch(b)) != 1 {
		t.Error(Batch(b))
	}
}

func event(id, kind, batch string, paid int) partition.Record {
	value, _ := json.Marshal(books.BatchValue{BatchID: batch, Type: kind, Seen: paid, States: map[string]int{"paid": paid}})
	return partition.Record{Key: []byte(batch), Value: value, Headers: []kafka.Header{{Key: "ce_id", Value: []byte(id)}, {Key: "ce_type", Value: []byte(kind)}}}
}

// Events of batches that come again with the same bytes are repeats. Two contents, a missing event and one too many are found.
func TestEventsOfBatches(t *testing.T) {
	expected := trial.Expected{Commands: map[string]payout.Command{"1": {BatchID: "B", BatchSize: 2}, "2": {BatchID: "B", BatchSize: 2}, "3": {BatchID: "C", BatchSize: 2}, "4": {}}}
	truth := Truth{Expected: expected, Standings: map[string]trial.Standing{"1": trial.Settled, "2": trial.Settled, "3": trial.Held}}
	whole := []partition.Record{
		event("o", "payout.batch.opened", "B", 0), event("p25", "payout.batch.progress", "B", 1), event("p50", "payout.batch.progress", "B", 1), event("p75", "payout.batch.progress", "B", 2),
		event("c", "payout.batch.closed", "B", 2), event("o2", "payout.batch.opened", "C", 0),
	}
	for name, c := range map[string]struct {
		records []partition.Record
		want    string
	}{
		"whole":        {whole, ""},
		"repeated":     {append(whole[:6:6], whole[4], whole[0]), ""},
		"two contents": {append(whole[:6:6], event("c", "payout.batch.closed", "B", 1)), "two contents"},
		"not closed":   {append(whole[:4:4], whole[5]), "the batch B (2 of 2 seen, 2 ended) has the events"},
		"closed twice": {append(whole[:6:6], event("c2", "payout.batch.closed", "B", 2)), "the batch B (2 of 2"},
		"too early":    {append(whole[:6:6], event("c3", "payout.batch.closed", "C", 1)), "the batch C (1 of 2 seen, 0 ended)"},
		"a stranger":   {append(whole[:6:6], event("x", "payout.batch.opened", "D", 1)), "nobody ordered the batch D"},
		"no event":     {append(whole[:6:6], partition.Record{Value: []byte("{}")}), "none of a batch"},
	} {
		e, problems := ReadEvents(c.records)
		found := strings.Join(append(problems, e.Against(truth)...), "\n")
		if (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
		if name == "repeated" && (e.Repeats != 2 || e.Distinct != 6) {
			t.Errorf("%+v", e)
		}
	}
}

func TestPayeesInClear(t *testing.T) {
	p := PayeesOf([]string{
		`{"tradeNo": "1", "amount": "1", "payee": {"customerName": "Lúcia Araújo", "walletId": "01123456789", "bankType": "CPF"}}`,
		`{"payouts": [{"tradeNo": "2", "amount": "1", "payee": {"email": "worker1@example.com", "identityType": "CPF"}}]}`, "{",
	})
	if p.Len() != 3 {
		t.Errorf("%d values", p.Len())
	}
	for text, want := range map[string]string{
		"":                              "",
		"***6789 L.A. CPF":              "",
		"a\x001201123456789987\x00b":    "01123456789", // where a database has put digits beside it
		"0112345678 0112345678":         "",
		`{"name":"Lúcia Araújo"}`:       "Lúcia Araújo",
		"mailto:worker1@example.com":    "@example.com",
		"0112345678901123456789 Araújo": "01123456789",
	} {
		if found := strings.Join(p.In([]byte(text)), " "); found != want {
			t.Errorf("%q: %q, want %q", text, found, want)
		}
	}
}
