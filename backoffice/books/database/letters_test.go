package database

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"disburser/backoffice/books"
)

// answersLetters checks what is asked about dead letters: pages in both directions, conditions, one by its place, and replays.
func answersLetters(t *testing.T, b *Books) {
	t.Helper()
	ctx := context.Background()
	all, err := b.Letters(ctx, LetterQuery{Limit: 1000})
	codes, err2 := b.LetterCodes(ctx, LetterQuery{})
	if err != nil || err2 != nil || codes["conflict"] == 0 || codes["malformed"] == 0 || codes["conflict"]+codes["malformed"] != len(all) {
		t.Fatalf("%d dead letters, %v, %v %v", len(all), codes, err, err2)
	}
	replays, err := b.Replays(ctx, all)
	if err != nil || len(replays) == 0 {
		t.Fatal(replays, err)
	}
	for _, l := range all {
		got, known, err := b.Letter(ctx, l.Place)
		if err != nil || !known || got.Source != l.Source {
			t.Errorf("%+v isn't found by its place: %+v %v", l, got, err)
		}
		if of, known, err := b.LetterOf(ctx, l.Topic, l.Source); err != nil || !known || of.Place != l.Place {
			t.Errorf("%+v isn't found by its source: %+v %v", l, of, err)
		}
		for _, r := range replays[l.Place] {
			if r.Source != l.Source || r.Topic != l.Topic || r.By != "olga" || l.Code != "malformed" {
				t.Errorf("%+v is no replay of %+v", r, l)
			}
		}
	}
	if _, known, err := b.Letter(ctx, books.Place{Partition: 99}); known || err != nil {
		t.Error(known, err)
	}
	middle := all[len(all)/2].Time
	for _, q := range []LetterQuery{{}, {Oldest: true}, {Code: "malformed"}, {BatchID: "batch-1"}, {Since: middle}, {Until: middle, Oldest: true}, {Code: "' OR 1=1 --"}} {
		want := slices.DeleteFunc(slices.Clone(all), func(l books.Letter) bool {
			return q.Code != "" && string(l.Code) != q.Code || q.BatchID != "" && l.BatchID != q.BatchID || q.Since > 0 && l.Time < q.Since || q.Until > 0 && l.Time >= q.Until
		})
		if q.Oldest {
			slices.Reverse(want)
		}
		var found []books.Letter
		for q.Limit = 3; ; {
			page, err := b.Letters(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if found = append(found, page...); len(page) < q.Limit {
				break
			}
			last := page[len(page)-1]
			q.After = LetterCursor{last.Time, last.Partition, last.Offset}
		}
		if !slices.EqualFunc(found, want, func(a, b books.Letter) bool { return a.Place == b.Place }) {
			t.Errorf("%+v: %d dead letters, want %d", q, len(found), len(want))
		}
	}
}

// onlyOne checks that one replay runs at a time, and that whoever waits too long is told.
func onlyOne(t *testing.T, first, second *Books) {
	t.Helper()
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- first.Alone(t.Context(), func() error { close(inside); <-leave; return nil })
	}()
	<-inside
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := second.Alone(short, func() error { t.Error("two at once"); return nil }); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ran := false
	if err := second.Alone(t.Context(), func() error { ran = true; return nil }); err != nil || !ran {
		t.Error(ran, err)
	}
}

func TestOneReplayAtATime(t *testing.T) {
	b := openSQLite(t)
	onlyOne(t, b, b)
}
