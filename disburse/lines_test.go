package disburse

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// Each line about a payout says which batch it is of, and a call that nobody answered
// isn't called an answer.
func TestThePayoutsLines(t *testing.T) {
	findings := map[string]finding.Finding{
		"a1": {Kind: finding.Accepted, HTTPStatus: http.StatusOK},
		"a2": {Kind: finding.Unclear, Detail: "no whole answer before the deadline (timeout 10s)"},
		"a3": {Kind: finding.NotSent, Detail: "no connection: refused"},
		"a4": {Kind: finding.Unclear, HTTPStatus: http.StatusBadGateway, Detail: "HTTP 502"},
	}
	said := map[string]string{"a1": "the provider answered", "a2": "the provider did not answer", "a3": "nothing was sent to the provider", "a4": "the provider answered"}
	inTime(t, func(t *testing.T) {
		var payouts []payout.Payout
		for tradeNo := range findings {
			p := order(tradeNo, "a")
			p.BatchID = "2026-11-payroll"
			payouts = append(payouts, p)
		}
		b := newBench(t, payouts...)
		b.merchant("a").Provider = provider{
			send: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding { return findings[tradeNo] },
			ask: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Paid, Served: true, HTTPStatus: http.StatusOK}
			},
		}
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		b.mu.Lock()
		defer b.mu.Unlock()
		first, announced := map[string]string{}, 0
		for line := range strings.Lines(b.log.String()) {
			var l struct {
				TradeNo string `json:"trade_no"`
				BatchID string `json:"batch_id"`
				Message string
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.TradeNo == "" {
				continue
			}
			if l.BatchID != "2026-11-payroll" {
				t.Errorf("no batch in %s", line)
			}
			if _, known := first[l.TradeNo]; !known {
				first[l.TradeNo] = l.Message
			}
			if l.Message == "announced" {
				announced++
			}
		}
		for tradeNo, want := range said {
			if first[tradeNo] != want {
				t.Errorf("of %s it says %q, want %q", tradeNo, first[tradeNo], want)
			}
		}
		if announced != 3 { // of a3 nothing was ever sent
			t.Errorf("%d were announced", announced)
		}
	})
}
