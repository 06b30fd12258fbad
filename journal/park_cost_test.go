package journal

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// BenchmarkParking parks 100,000 payouts of a batch and brings them back, on a real redis-server (DISBURSER_REDIS), page
// by page as the loop does. It reports payouts a second, the way there and back included.
func BenchmarkParking(b *testing.B) {
	address := os.Getenv("DISBURSER_REDIS")
	if address == "" {
		b.Skip("set DISBURSER_REDIS to measure a real redis-server")
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	ctx, n := context.Background(), 100_000
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		client.FlushAll(ctx)
		j := benchJournal(b, client)
		for from := 0; from < n; from += chunk {
			entries := make([]intake.Entry, chunk)
			for i := range entries {
				entries[i].Payout = ofBatch(fmt.Sprintf("2026%08d", from+i), "payroll", int64(from+i))
			}
			_, _, err := j.Insert(ctx, intake.Range{From: int64(from), To: int64(from + chunk)}, entries)
			must(err)
		}
		began := time.Now()
		for {
			due, err := j.Peek(ctx, "eg", 0, chunk)
			must(err)
			if len(due) == 0 {
				break
			}
			names := make([]string, len(due))
			for i, w := range due {
				names[i] = w.TradeNo
			}
			_, err = j.Move(ctx, leases.Move{To: payout.StepParked, Follows: 1}, names)
			must(err)
		}
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "parked/s")
		began = time.Now()
		of := leases.Batch{Merchant: "eg", BatchID: "payroll"}
		for {
			names, err := j.ParkedOf(ctx, of, 0, chunk)
			must(err)
			if len(names) == 0 {
				break
			}
			_, err = j.Move(ctx, leases.Move{To: payout.StepSend, From: &of, Follows: 1, MaxOpen: 2 * n}, names)
			must(err)
		}
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "back/s")
	}
}
