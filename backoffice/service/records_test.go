package service_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/message"
)

// Every payout comes once over all pages, with what was ordered and announced; or those that are named.
func TestRecords(t *testing.T) {
	k, c, token := servicetest.World(t, bookstest.NewRun(rand.New(rand.NewPCG(5, 5)), 30, partitions, false))
	o := start(t, k, c, token)
	o.caughtUp()
	seen := map[string]bool{}
	for cursor := ""; ; {
		page := get[api.Records](o, "/records?batch=batch-1&limit=3&cursor="+cursor)
		for _, r := range page.Records {
			if seen[r.TradeNo] || len(r.Orders) != 1 || len(r.Results) != 1 || r.Results[0].Type != message.EventPaid || r.Orders[0].Amount != r.Results[0].PaidAmount || r.Orders[0].Currency != "EGP" {
				t.Errorf("%+v", r)
			}
			seen[r.TradeNo] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d of 10 records", len(seen))
	}
	if all := get[api.Records](o, "/records?since=2026-11-25T00:00:00Z&until=2026-11-26T00:00:00Z").Records; len(all) != 30 {
		t.Errorf("%d of 30 records", len(all))
	}
	if some := get[api.Records](o, "/records?tradeNos=20261125-0000001,nobody,20261125-0000002").Records; len(some) != 2 || some[1].TradeNo != "20261125-0000002" {
		t.Errorf("%+v", some)
	}
	for _, path := range []string{"/records?tradeNos=a%27b", "/records?tradeNos=a" + strings.Repeat(",a", 100), "/records?limit=1001", "/records?cursor=x", "/records?since=x"} {
		if status, body := o.do("/api/v1"+path, token); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
