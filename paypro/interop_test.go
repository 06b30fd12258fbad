package paypro

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/money"
	"disburser/paypro/paysim"
)

// The simulator was written from the same pages without our code. It must accept the requests of
// every country, signatures included, and we must accept its answers.
func TestAgainstSimulator(t *testing.T) {
	for _, country := range Countries() {
		t.Run(country.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(2 * 365 * 24 * time.Hour) // virtual time begins in 2000, milliseconds had 12 digits until September 2001
				sim := paysim.New(paysim.Config{Merchants: []paysim.Merchant{{
					Country: country.Name, MerchantNo: "0000000001", Secret: testSecret, BasePath: "/egy-pay",
				}}})
				n := newNetwork()
				n.serve(t, func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) })
				c := client(t, merchant(country.Name), n.dial)
				cmd := payout.Command{TradeNo: "t-1", Amount: amount(t, amountOf(country.Name)), Payee: payout.NewPayee(good[country.Name])}
				if err := c.Check(cmd); err != nil {
					t.Fatal(err)
				}
				expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "t-1"}, time.Time{}), finding.NoRecord)
				send := c.Send(t.Context(), cmd, soon(), nil)
				if !slices.Contains([]finding.Kind{finding.Accepted, finding.SettledPaid}, send.Kind) || !send.Served || send.PlatformTradeNo == "" {
					t.Fatalf("send: %+v", send)
				}
				time.Sleep(time.Hour)
				ask := c.Ask(t.Context(), cmd, time.Time{})
				if ask.Kind != finding.Paid && ask.Kind != finding.Failed || ask.PlatformTradeNo != send.PlatformTradeNo || ask.PaidAmount == "" || ask.Kind == finding.Paid && ask.Share != money.ShareAll {
					t.Errorf("ask: %+v", ask)
				}
				if b, err := c.Balance(t.Context()); err != nil || b.Available == "" {
					t.Errorf("balance: %+v, %v", b, err)
				}
			})
		})
	}
}
