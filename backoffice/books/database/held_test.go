package database

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"disburser/backoffice/books/bookstest"
	"disburser/payout"
)

// becomesHeld checks that each payout that became held has a place, in the order of the places, until it is forgotten.
func becomesHeld(t *testing.T, open func(testing.TB) *Books) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(12, 12))
	b := open(t)
	if first, last, err := b.HeldPlaces(ctx); first != 0 || last != 0 || err != nil {
		t.Fatal(first, last, err)
	}
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 90, 2, true), b, payeeKey, nil)
	told := map[string]bool{}
	at := int64(0)
	for {
		page, err := b.HeldSince(ctx, at, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page {
			if h.Seq <= at {
				t.Errorf("%d comes behind %d", h.Seq, at)
			}
			at = h.Seq
			told[h.Payout.TradeNo] = true
		}
		if len(page) < 3 {
			break
		}
	}
	held := pages(t, b, Query{State: payout.StateHeld})
	for _, p := range held {
		if !told[p.TradeNo] {
			t.Errorf("nobody is told that %s is held", p.TradeNo)
		}
	}
	first, last, err := b.HeldPlaces(ctx)
	if err != nil || len(held) == 0 || first < 1 || last < at {
		t.Fatal(len(held), first, last, err)
	}
	if err := b.ForgetHeld(ctx, time.Now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if first, again, err := b.HeldPlaces(ctx); first != last || again != last || err != nil {
		t.Errorf("%d to %d are left of %d: %v", first, again, last, err)
	}
}

func TestSQLiteTellsWhatBecomesHeld(t *testing.T) { becomesHeld(t, openSQLite) }
