package journal

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"disburser/internal/embedded"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
	"disburser/payout/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachRedis runs a test of the conformance suite on miniredis, or, where
// DISBURSER_REDIS names one, on a real redis-server.
func eachRedis(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Run("miniredis", func(t *testing.T) {
		if os.Getenv("DISBURSER_REDIS") != "" {
			t.Skip("make test runs it; here the same runs on a real redis-server")
		}
		r, err := embedded.NewRedis()
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Dialer: r.Dial})
		t.Cleanup(func() { _ = client.Close(); r.Close() })
		test(t, client)
	})
	t.Run("redis-server", func(t *testing.T) {
		address := os.Getenv("DISBURSER_REDIS")
		if address == "" {
			t.Skip("set DISBURSER_REDIS to run on a real redis-server (make test-real does)")
		}
		client := redis.NewClient(&redis.Options{Addr: address})
		t.Cleanup(func() { _ = client.Close() })
		test(t, client)
	})
}

// newJournal opens an epoch in a namespace of the test's own, position 0 in partition 0.
func newJournal(t *testing.T, client redis.UniversalClient, window time.Duration) *Journal {
	t.Helper()
	j := New(client, Options{Namespace: "test-" + NewToken(), Window: window})
	t.Cleanup(func() { wipe(t, client, j) }) // a real server keeps them
	id := NewToken()
	if err := j.Build(context.Background(), id, "", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := j.OpenEpoch(context.Background(), epochs.Opening{Epoch: epochs.Epoch{Number: 1, ID: id}, Shards: 1, Fences: map[int]int64{3: 7}}); err != nil {
		t.Fatal(err)
	}
	j.Believe(id)
	if _, err := j.Position(context.Background(), 0, 0, false); err != nil {
		t.Fatal(err)
	}
	return j
}

func order(tradeNo, amount string) payout.Payout {
	a, _ := money.Parse(amount)
	return payout.Begin(payout.Command{
		TradeNo: tradeNo, Merchant: "eg", Amount: a, Currency: "EGP",
		Payee: payout.NewPayee(map[string]string{"walletId": "01123456789"}), Remark: "salary",
	}, "egypt", payout.Source{Offset: 3}, "", time.Now().Add(-time.Second))
}

func insert(t *testing.T, j *Journal, to int64, payouts ...payout.Payout) string {
	t.Helper()
	entries := make([]intake.Entry, len(payouts))
	for i, p := range payouts {
		if p.Source.Time.IsZero() {
			p.Source.Time = time.Now()
		}
		entries[i] = intake.Entry{Payout: p}
	}
	outcomes, _, err := j.Insert(context.Background(), intake.Range{From: 0, To: to}, entries)
	if err != nil {
		t.Fatal(err)
	}
	letters := ""
	for _, o := range outcomes {
		letters += string(o)
	}
	return letters
}

func lease(t *testing.T, j *Journal, step payout.Step, merchant string, n int) leases.Leased {
	t.Helper()
	b, err := j.Lease(context.Background(), leases.Request{Step: step, Merchant: merchant, N: n, For: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func apply(t *testing.T, j *Journal, changes ...leases.Change) []bool {
	t.Helper()
	written, err := j.Apply(context.Background(), changes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return written
}
