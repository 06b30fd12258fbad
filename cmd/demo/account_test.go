package main

import (
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// Each difference between the books and the provider's ledger is found.
func TestTheBooksAreComparedWithTheLedger(t *testing.T) {
	paid := paysim.Entry{MerchantNo: merchantNos["eg-main"], TradeNo: "a", Placements: 1, Outcome: "paid", Executions: []paysim.Execution{{PaidAmount: "300.00"}}}
	failed := paysim.Entry{MerchantNo: merchantNos["eg-main"], TradeNo: "b", Placements: 1, Outcome: "failed", Executions: []paysim.Execution{{PaidAmount: "0"}}}
	for name, c := range map[string]struct {
		change func(a *account, j *judged)
		want   string
	}{
		"all agree":          {func(*account, *judged) {}, ""},
		"another sum":        {func(a *account, _ *judged) { a.payouts[0].PaidAmount = "299" }, `a: the books say that "299" was paid, the provider paid 300.00`},
		"no sum":             {func(a *account, _ *judged) { a.payouts[0].PaidAmount = "" }, `a: the books say that "" was paid`},
		"paid, but failed":   {func(a *account, _ *judged) { a.payouts[1].State, a.payouts[1].PaidAmount = "paid", "5" }, "b: the books say paid"},
		"failed, but paid":   {func(a *account, _ *judged) { a.payouts[0].State, a.payouts[0].PaidAmount = "failed", "" }, "a: the books say that"},
		"rejected, but sent": {func(a *account, _ *judged) { a.payouts[1].State = "rejected" }, "b: the books say rejected"},
		"paid twice": {func(_ *account, j *judged) {
			j.ledger.Entries[0].Executions = append(j.ledger.Entries[0].Executions, paysim.Execution{PaidAmount: "300"})
		}, "paid 2 times"},
		"behind":        {func(a *account, _ *judged) { a.payouts[1].State = "sending" }, "b: the books say sending, but a final"},
		"open":          {func(a *account, j *judged) { a.payouts[1].State = "sending"; j.standings["b"] = trial.Open }, "the books count 1 payouts as failed"},
		"not there":     {func(a *account, _ *judged) { a.payouts = a.payouts[:1] }, "b: ordered, but not in the books"},
		"a stranger":    {func(_ *account, j *judged) { delete(j.expected.TradeNos, "b") }, "b: in the books, but nobody ordered it"},
		"counted wrong": {func(a *account, _ *judged) { a.overview.States["paid"] = 2 }, "the books count 2 payouts as paid, and list 1"},
		"money lost": {func(a *account, _ *judged) {
			a.overview.Amounts["EGP"] = books.Amounts{Ordered: "305", Paid: "300", Failed: "4.99"}
		}, "305 EGP were ordered, and account for 304.99"},
		"no number": {func(a *account, _ *judged) { a.overview.Amounts["EGP"] = books.Amounts{Ordered: "much"} }, "much EGP"},
	} {
		t.Run(name, func(t *testing.T) {
			a := account{
				api.Overview{States: map[string]int{"paid": 1, "failed": 1, "sending": 0, "rejected": 0}, Amounts: map[string]books.Amounts{"EGP": {Ordered: "305", Paid: "300", Failed: "5"}}},
				[]api.Payout{{TradeNo: "a", State: "paid", Merchant: "eg-main", PaidAmount: "300"}, {TradeNo: "b", State: "failed", Merchant: "eg-main"}},
			}
			j := judged{
				trial.Expected{TradeNos: map[string]string{"a": "eg-main", "b": "eg-main"}}, paysim.Ledger{Entries: []paysim.Entry{paid, failed}},
				map[string]trial.Standing{"a": trial.Settled, "b": trial.Settled},
			}
			c.change(&a, &j)
			found := strings.Join(a.against(j), "\n")
			if (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
