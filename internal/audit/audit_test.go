package audit

import (
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

var merchantNos = map[string]string{"eg-main": "0000000001"}

// Each difference between the books and the provider's ledger is found.
func TestTheBooksAreComparedWithTheLedger(t *testing.T) {
	paid := paysim.Entry{MerchantNo: merchantNos["eg-main"], TradeNo: "a", Placements: 1, Outcome: "paid", Executions: []paysim.Execution{{PaidAmount: "300.00"}}}
	failed := paysim.Entry{MerchantNo: merchantNos["eg-main"], TradeNo: "b", Placements: 1, Outcome: "failed", Executions: []paysim.Execution{{PaidAmount: "0"}}}
	for name, c := range map[string]struct {
		change func(a *Account, j *Truth)
		want   string
	}{
		"all agree":          {func(*Account, *Truth) {}, ""},
		"another sum":        {func(a *Account, _ *Truth) { a.Payouts[0].PaidAmount = "299" }, `a: the books say that "299" was paid, the provider paid 300.00`},
		"no sum":             {func(a *Account, _ *Truth) { a.Payouts[0].PaidAmount = "" }, `a: the books say that "" was paid`},
		"paid, but failed":   {func(a *Account, _ *Truth) { a.Payouts[1].State, a.Payouts[1].PaidAmount = "paid", "5" }, "b: the books say paid"},
		"failed, but paid":   {func(a *Account, _ *Truth) { a.Payouts[0].State, a.Payouts[0].PaidAmount = "failed", "" }, "a: the books say that"},
		"rejected, but sent": {func(a *Account, _ *Truth) { a.Payouts[1].State = "rejected" }, "b: the books say rejected"},
		"paid twice": {func(_ *Account, j *Truth) {
			j.Ledger.Entries[0].Executions = append(j.Ledger.Entries[0].Executions, paysim.Execution{PaidAmount: "300"})
		}, "paid 2 times"},
		"behind":        {func(a *Account, _ *Truth) { a.Payouts[1].State = "sending" }, "b: the books say sending, but a final"},
		"open":          {func(a *Account, j *Truth) { a.Payouts[1].State = "sending"; j.Standings["b"] = trial.Open }, "the books count 1 payouts as failed"},
		"not there":     {func(a *Account, _ *Truth) { a.Payouts = a.Payouts[:1] }, "b: ordered, but not in the books"},
		"a stranger":    {func(_ *Account, j *Truth) { delete(j.Expected.TradeNos, "b") }, "b: in the books, but nobody ordered it"},
		"counted wrong": {func(a *Account, _ *Truth) { a.Overview.States["paid"] = 2 }, "the books count 2 payouts as paid, and list 1"},
		"money lost": {func(a *Account, _ *Truth) {
			a.Overview.Amounts["EGP"] = books.Amounts{Ordered: "305", Paid: "300", Failed: "4.99"}
		}, "305 EGP were ordered, and account for 304.99"},
		"twice": {func(a *Account, _ *Truth) { a.Payouts = append(a.Payouts, a.Payouts[0]) }, "a: twice in the books"},
		"less than nothing": {func(a *Account, _ *Truth) {
			a.Overview.Amounts["EGP"] = books.Amounts{Ordered: "305", Paid: "306", Open: "-1"}
		}, `"-1" EGP`},
		"fewer than none": {func(a *Account, _ *Truth) { a.Overview.States["held"] = -1 }, "the books count -1 payouts as held"},
		"no number":       {func(a *Account, _ *Truth) { a.Overview.Amounts["EGP"] = books.Amounts{Ordered: "much"} }, "much EGP"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Account{
				api.Overview{States: map[string]int{"paid": 1, "failed": 1, "sending": 0, "rejected": 0}, Amounts: map[string]books.Amounts{"EGP": {Ordered: "305", Paid: "300", Failed: "5"}}},
				[]api.Payout{{TradeNo: "a", State: "paid", Merchant: "eg-main", PaidAmount: "300"}, {TradeNo: "b", State: "failed", Merchant: "eg-main"}},
			}
			j := Truth{
				trial.Expected{TradeNos: map[string]string{"a": "eg-main", "b": "eg-main"}}, paysim.Ledger{Entries: []paysim.Entry{paid, failed}},
				map[string]trial.Standing{"a": trial.Settled, "b": trial.Settled}, merchantNos,
			}
			c.change(&a, &j)
			found := strings.Join(a.Against(j), "\n")
			if (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
