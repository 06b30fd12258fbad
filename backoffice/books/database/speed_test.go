package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
)

// BenchmarkCatchUp reads the commands and the results of b.N payouts, each topic in four partitions side by side, as
// projectors do it. It counts what the books cost, and leaves Kafka out.
func BenchmarkCatchUp(b *testing.B) {
	store := benchBooks(b)
	b.ReportAllocs()
	b.ResetTimer()
	for _, topic := range []books.Topic{books.Commands, books.Results} {
		fill(b, store, topic, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payouts/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
}

func benchBooks(b *testing.B) *Books {
	b.Helper()
	address := "sqlite:" + filepath.Join(b.TempDir(), "books.db")
	if other := os.Getenv("BOOKS_DATABASE"); other != "" {
		address = other
	}
	store, err := Open(context.Background(), address)
	if err != nil {
		b.Fatal(err)
	}
	if store.sql.shared { // go test runs it several times
		if _, err := store.write.Exec("TRUNCATE progress, payouts, payees, totals, batches, batch_events, dead_letters, replays, actions, became_held"); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

const benchPartitions, benchPage = 4, 2000

func fill(b *testing.B, store *Books, topic books.Topic, payouts int) {
	b.Helper()
	var group sync.WaitGroup
	for number := range benchPartitions {
		group.Go(func() {
			d := books.NewDecoder(topic, number, bookstest.Resolve, payeeKey)
			var records []partition.Record
			next := int64(0)
			flush := func() {
				page := books.Page{Topic: topic, Partition: number, From: next, Facts: d.Page(records)}
				page.To = books.Progress{Next: next + int64(len(records)), Fences: d.Fences, Since: bookstest.Start}
				if err := books.Write(context.Background(), store, page, time.Now()); err != nil {
					b.Error(err)
				}
				next, records = page.To.Next, records[:0]
			}
			for i := number; i < payouts; i += benchPartitions {
				if records = append(records, benchRecord(topic, i, payouts, next+int64(len(records)))); len(records) == benchPage {
					flush()
				}
			}
			if len(records) > 0 {
				flush()
			}
		})
	}
	group.Wait()
}

func benchRecord(topic books.Topic, i, payouts int, offset int64) partition.Record {
	c := bookstest.Command(i, payouts)
	at := bookstest.Start.Add(time.Duration(i) * time.Millisecond)
	if topic == books.Commands {
		value, _ := message.EncodeUnchecked(c)
		return partition.Record{Offset: offset, Time: at, Key: []byte(c.TradeNo), Value: value}
	}
	p := payout.Payout{
		Command: bookstest.Resolve(c), State: payout.StatePaid, ReceivedAt: at, FirstSentAt: at.Add(time.Second), SettledAt: at.Add(time.Minute), Sends: 1, Asks: 2,
		PaidAmount: c.Amount.String(), Status: "0000", StatusText: "SUCCESS", PlatformTradeNo: fmt.Sprintf("vuu9apjq%08d", i),
	}
	if i%500 == 0 {
		p.State, p.HeldAt, p.Reason = payout.StateHeld, at, "the provider has no record of it"
	}
	p.Fingerprint = p.Command.Fingerprint()
	e, _ := message.EventOf(p)
	m, _ := message.EncodeEvent(e)
	return partition.Record{Offset: offset, Time: at, Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)}
}

// BenchmarkAnswers asks books of BOOKS_PAYOUTS payouts (20,000 without it) for one payout, and for pages of 1,000. It tells how
// long the slowest twentieth takes at least.
func BenchmarkAnswers(b *testing.B) {
	payouts := 20_000
	if n, err := strconv.Atoi(os.Getenv("BOOKS_PAYOUTS")); err == nil {
		payouts = n
	}
	store := benchBooks(b)
	for _, topic := range []books.Topic{books.Commands, books.Results} {
		fill(b, store, topic, payouts)
	}
	ctx, rng := context.Background(), rand.New(rand.NewPCG(1, 1))
	somewhere := func() Cursor {
		return Cursor{At: bookstest.Start.UnixMilli() + rng.Int64N(int64(payouts)), TradeNo: "0"}
	}
	hash := books.NewPayeeHash(payeeKey)
	for name, ask := range map[string]func() (int, error){
		"show": func() (int, error) {
			p, err := store.Payout(ctx, bookstest.Command(rng.IntN(payouts), payouts).TradeNo)
			return len(p.Orders), err
		},
		"payee": func() (int, error) {
			of := hash.Of(bookstest.Command(rng.IntN(payouts), payouts).Payee.Field("walletId"))
			all, err := store.Payouts(ctx, Query{Payee: &of, Limit: 1000})
			return len(all), err
		},
		"page-by-time":     pageOf(ctx, store, func() Query { return Query{After: somewhere()} }),
		"page-by-batch":    pageOf(ctx, store, func() Query { return Query{BatchID: "batch-1", After: somewhere()} }),
		"page-by-merchant": pageOf(ctx, store, func() Query { return Query{Merchant: "eg-main", State: payout.StatePaid, After: somewhere()} }),
		"page-of-held":     pageOf(ctx, store, func() Query { return Query{State: payout.StateHeld} }),
		"totals": func() (int, error) {
			all, err := store.Totals(ctx, nil)
			return len(all), err
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if n, err := ask(); err != nil || n == 0 {
					b.Fatal(n, err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
		})
	}
}

func pageOf(ctx context.Context, store *Books, query func() Query) func() (int, error) {
	return func() (int, error) {
		q := query()
		q.Limit = 1000
		all, err := store.Payouts(ctx, q)
		for _, p := range all {
			p.View()
		}
		return len(all) + 1, err // the last page may be empty
	}
}
