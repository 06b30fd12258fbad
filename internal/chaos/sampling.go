package chaos

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/audit"
	"disburser/internal/harness"
)

const (
	// samples is how many answers are looked at while payouts flow, sampleEvery the pause between two.
	samples     = 1000
	sampleEvery = 40 * time.Millisecond

	// countEvery is after how many samples the totals are compared with the payouts, counted anew.
	countEvery = 20
)

// sample asks for the whole or for a batch, in turn, until ctx ends or enough answers were seen. What an answer loses is a
// problem. A back office that is away just now is asked again.
func (r *run) sample(ctx context.Context, enough int) {
	b := r.kept
	told := map[string]bool{}
	problem := func(lines []string) {
		for _, line := range lines {
			if !told[line] && len(told) < shown {
				told[line] = true
				r.problem("%s", line)
			}
		}
	}
	var batches []string
	for n := 0; b.seen() < enough && harness.Pause(ctx, sampleEvery); n++ {
		c := b.client(b.offices[n%len(b.offices)])
		var problems []string
		var err error
		switch {
		case n%2 == 0:
			var whole api.Overview
			if whole, err = api.Get[api.Overview](ctx, c, "/overview", nil); err == nil {
				problems = audit.Overview(whole)
			}
		case n%100 == 1 || len(batches) == 0:
			batches = batchesOf(ctx, c)
			continue
		default:
			var one api.Batch
			if one, err = api.Get[api.Batch](ctx, c, "/batches/"+url.PathEscape(batches[n/2%len(batches)]), nil); err == nil {
				problems = audit.Batch(one.BatchValue)
			}
		}
		if err == nil && b.seen()%countEvery == 0 {
			var counted []string
			if counted, err = miscounted(ctx, b.database); err == nil {
				problems = append(problems, counted...)
			}
		}
		b.count(err == nil)
		problem(problems)
	}
}

// batchesOf are the latest batches.
func batchesOf(ctx context.Context, c api.Client) (ids []string) {
	page, err := api.Get[api.Batches](ctx, c, "/batches", url.Values{"limit": {"50"}})
	if err != nil {
		return nil
	}
	for _, b := range page.Batches {
		ids = append(ids, b.BatchID)
	}
	return ids
}

func (b *bookkeeping) seen() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sampled
}

func (b *bookkeeping) count(answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if answered {
		b.sampled++
	} else {
		b.again++
	}
}

// judgeBooks judges what the back office says in the end, by the provider's ledger, the results, the topics and fresh books.
func (r *run) judgeBooks(ctx context.Context, t audit.Truth) error {
	b := r.kept
	for _, o := range b.offices {
		if o.Running() {
			continue
		}
		if !o.Wanted() {
			r.problem("%s ended by itself with status %d:\n%s", o.Name, o.Status(), o.Tail())
		}
		if err := o.start(r.programs("backoffice")); err != nil {
			return err
		}
	}
	if err := r.caughtUp(ctx); err != nil {
		return err
	}
	for _, o := range b.offices {
		account, err := audit.Ask(ctx, b.client(o))
		if err != nil {
			return err
		}
		r.told(o.name, append(account.Against(t), audit.Overview(account.Overview)...))
	}
	if err := r.judgeEvents(ctx, t); err != nil {
		return err
	}
	counted, err := miscounted(ctx, b.database)
	if err != nil {
		return err
	}
	r.told("the totals", counted)
	if err := r.judgeRows(ctx); err != nil {
		return err
	}
	if r.scenario.wants != nil {
		if err := r.scenario.wants(ctx, r); err != nil {
			return err
		}
	}
	if b.sampled > 0 {
		r.say("   %d answers were looked at, %d questions found no back office", b.sampled, b.again)
	}
	return r.judgePayees(ctx, t)
}

// told records what must not be, some of it.
func (r *run) told(where string, lines []string) {
	for _, line := range lines[:min(len(lines), shown)] {
		r.problem("%s: %s", where, line)
	}
	if len(lines) > shown {
		r.problem("%s: and %d more", where, len(lines)-shown)
	}
}

// judgeEvents looks at all that was said of batches, once all of it is published.
func (r *run) judgeEvents(ctx context.Context, t audit.Truth) error {
	err := harness.Until(ctx, 30*time.Second, "all events of batches are published", func() bool {
		n, err := countOf(ctx, r.kept.database, "batch_events WHERE published = 0")
		return err == nil && n == 0
	})
	if err != nil {
		return err
	}
	records, err := r.records(ctx, r.kept.batches)
	if err != nil {
		return err
	}
	events, problems := audit.ReadEvents(records)
	r.told("events of batches", append(problems, events.Against(t)...))
	r.say("   %d events of %d batches, %d of them published again with the same bytes", events.Distinct, len(events.Of), events.Repeats)
	return nil
}

// judgeRows compares the books with fresh ones, row by row.
func (r *run) judgeRows(ctx context.Context) error {
	if err := r.digested(ctx, r.kept.database); err != nil {
		return err
	}
	fresh, err := r.freshBooks(ctx)
	if err != nil {
		return err
	}
	have, err := rowsOf(ctx, r.kept.database)
	if err != nil {
		return err
	}
	want, err := rowsOf(ctx, fresh)
	if err != nil {
		return err
	}
	lines := differences(have, want)
	r.told("against fresh books", lines)
	r.say("   %d rows, of which %d at least aren't those of fresh books", len(have), len(lines))
	return nil
}

// judgePayees looks for payees in all that the programs have written, and finds some as people would.
func (r *run) judgePayees(ctx context.Context, t audit.Truth) error {
	payees := audit.PayeesOf(append(slices.Clip(r.lines), r.kept.payees...))
	texts, err := r.dumped(ctx, r.kept.database)
	if err != nil {
		return err
	}
	if err := r.written(texts); err != nil {
		return err
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		size += len(texts[name])
		if found := payees.In(texts[name]); len(found) > 0 {
			r.problem("payees stand in clear in %s: %q", name, found)
		}
	}
	r.say("   %d values of payees were looked for in %d texts, %d MB", payees.Len(), len(texts), size>>20)
	return r.findPayee(ctx, t)
}
