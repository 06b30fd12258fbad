package database

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/secrets"
)

var seals = books.NewSealer(payeeKey)

// digested computes all digests that are due, and answers them by batch.
func digested(t *testing.T, b *Books) map[string]string {
	t.Helper()
	ctx := context.Background()
	for {
		done, err := b.Digest(ctx, seals)
		if err != nil {
			t.Fatal(err)
		}
		if !done {
			break
		}
	}
	list, err := b.Batches(ctx, Cursor{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, one := range list {
		if one.Digest != "" {
			all[one.ID] = one.Digest
		}
	}
	return all
}

// announced are the lines of a run's digests, by what its results say: the first final result of each payout.
func announced(run bookstest.Run) map[string]string {
	type line struct{ batch, text string }
	lines := map[string]line{}
	for part, records := range run {
		for _, r := range records {
			if part.Topic != books.Results {
				continue
			}
			e, _ := message.DecodeEvent(message.New(r.Key, r.Value, r.Headers))
			if state, final := message.FinalOf(e.Type); final && state != payout.StateRejected {
				lines[e.TradeNo] = line{e.BatchID, e.TradeNo + " " + string(e.Fingerprint)}
			}
		}
	}
	by := map[string][]string{}
	for _, l := range lines {
		by[l.batch] = append(by[l.batch], l.text)
	}
	all := map[string]string{}
	for batch, texts := range by {
		slices.Sort(texts)
		d := books.NewDigest()
		for _, text := range texts {
			tradeNo, f, _ := strings.Cut(text, " ")
			d.Add(tradeNo, payout.Fingerprint(f))
		}
		all[batch] = d.Text()
	}
	return all
}

// digests checks that a closed batch's digest follows from the records that were read, in whatever order. Some of them come once
// it was closed.
func digests(t *testing.T, open func(testing.TB) *Books) {
	for _, odd := range []bool{false, true} {
		run := bookstest.NewRun(rand.New(rand.NewPCG(12, 12)), 90, 3, odd)
		want := announced(run)
		closed := 0
		for order := range 3 {
			b, rng := open(t), rand.New(rand.NewPCG(12, uint64(order)))
			after := func() {
				if order > 0 && rng.IntN(5) == 0 { // also while it is read
					digested(t, b)
				}
			}
			bookstest.Feed(t, rng, run, b, payeeKey, after)
			have := digested(t, b)
			for batch, digest := range have {
				if digest != want[batch] {
					t.Errorf("odd %v, order %d: the digest of %s is %s, by its results %s", odd, order, batch, digest, want[batch])
				}
				if id, err := b.WithDigest(context.Background(), digest); err != nil || id != batch {
					t.Errorf("by its digest %q is found: %v", id, err)
				}
			}
			if closed += len(have); !odd && len(have) != 3 {
				t.Errorf("%d of 3 batches have a digest", len(have))
			}
		}
		if id, err := open(t).WithDigest(context.Background(), ""); err != nil || id != "" {
			t.Errorf("no digest is that of %q: %v", id, err)
		}
	}
}

func TestSQLiteDigests(t *testing.T) { digests(t, openSQLite) }

// lateness checks what becomes of a digest after its batch was closed.
func lateness(t *testing.T, open func(testing.TB) *Books) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(13, 13))
	b, run := open(t), bookstest.NewRun(rng, 30, 1, false)
	bookstest.Feed(t, rng, run, b, payeeKey, nil)
	before := digested(t, b)["batch-1"]

	late := payout.Payout{Command: bookstest.Resolve(bookstest.Command(31, 30)), State: payout.StatePaid, ReceivedAt: bookstest.Start, SettledAt: bookstest.Start, Sends: 1}
	late.TradeNo, late.Fingerprint = "later", late.Command.Fingerprint()
	say := func(p payout.Payout) {
		e, _ := message.EventOf(p)
		m, err := message.EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		run.Add(bookstest.Part{Topic: books.Results}, m, bookstest.Start)
		bookstest.Feed(t, rng, run, b, payeeKey, nil)
	}
	rejected := late
	rejected.TradeNo, rejected.State, rejected.Reason = "never", payout.StateRejected, "cancelled by alice: test"
	if say(rejected); digested(t, b)["batch-1"] != before {
		t.Error("a rejected payout has changed the digest")
	}
	say(late)
	if one, _, err := b.Batch(ctx, "batch-1"); err != nil || one.Digest != "" {
		t.Errorf("while the new one isn't computed the old one is told: %q, %v", one.Digest, err)
	}
	if _, err := b.Digest(ctx, books.NewSealer(secrets.New("another key"))); err == nil || !strings.Contains(err.Error(), "payee_key") {
		t.Errorf("with another key: %v", err)
	}
	after := digested(t, b)["batch-1"]
	if after == before || after != announced(run)["batch-1"] {
		t.Errorf("a late payout: %s, before %s, by the results %s", after, before, announced(run)["batch-1"])
	}
	if n, err := b.Forget(ctx, bookstest.Start.Add(time.Hour).UnixMilli(), 100); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	late.TradeNo = "much-later"
	late.Fingerprint = late.Command.Fingerprint()
	if say(late); digested(t, b)["batch-1"] != after {
		t.Error("the digest of payouts that were deleted has changed")
	}
}

func TestSQLiteDigestsOfWhatComesLate(t *testing.T) { lateness(t, openSQLite) }

// unsealed looks for fingerprints in all tables: the books hold none that isn't sealed.
func unsealed(t *testing.T, open func(testing.TB) *Books) {
	b, rng := open(t), rand.New(rand.NewPCG(14, 14))
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 60, 2, true), b, payeeKey, nil)
	digested(t, b)
	for _, name := range []string{"payouts", "payees", "batches", "batch_events", "dead_letters"} {
		rows, err := b.read.Query("SELECT * FROM " + name)
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		if err := each(rows, func() error {
			values, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			err := rows.Scan(to...)
			text := shown(values)
			for i := range 60 {
				c := bookstest.Resolve(bookstest.Command(i, 60))
				for _, f := range []payout.Fingerprint{c.Fingerprint(), c.OtherFingerprint()} {
					if f != "" && strings.Contains(text, string(f)) {
						t.Errorf("%s holds the fingerprint %s: %s", name, f, text)
					}
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteHoldsNoPlainFingerprint(t *testing.T) { unsealed(t, openSQLite) }
