package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
)

// piece is how many messages are decoded before they are made known.
const piece = 1000

// read takes a partition's commands in, from the journal's position on, until ctx ends.
func (c *Consumer) read(ctx context.Context, number int, committed int64) {
	source := partition.Source{Client: c.Client, Topic: c.topic, Partition: number}
	backoff, position := retryMin, int64(-1)
	pause := func() { sleep(ctx, backoff); backoff = min(2*backoff, retryMax) }
	for ctx.Err() == nil {
		if position < 0 {
			if c.InEpoch != nil && !c.InEpoch() { // the journal would only refuse
				sleep(ctx, epochPause)
				continue
			}
			at, err := c.begin(ctx, source, committed)
			if err != nil {
				c.stop(ctx, number, err)
				pause()
				continue
			}
			position = at
			c.stop(ctx, number, nil)
			if err := c.wanted(ctx, number, position); err != nil { // a full journal takes nothing, also after a rebalance
				c.failed(ctx, number, err)
				position = -1
				pause()
				continue
			}
		}
		page, err := source.Fetch(ctx, position, fetchWait)
		if err == nil {
			c.Metrics.lag(c.topic, number, page.End-page.Next, page.End)
			err = c.take(ctx, number, position, page)
		}
		if err != nil {
			if ctx.Err() == nil {
				c.failed(ctx, number, err)
				position = -1 // whatever it was: ask the journal where to go on
				pause()
			}
			continue
		}
		position, backoff = page.Next, retryMin
	}
}

// begin answers where to read: at the journal's position. Where the journal has none,
// the group's committed offset becomes it, or the partition's start.
func (c *Consumer) begin(ctx context.Context, source partition.Source, committed int64) (int64, error) {
	start, end, err := source.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	if own, known := c.safe[source.Partition]; known { // the generation may be old, its offset long passed
		committed = max(committed, own)
	}
	c.mu.Unlock()
	first := committed
	if first < 0 { // nothing committed yet
		first = start
	}
	if first > end { // the topic was made anew: no place to begin at, and a position can't be set back
		marks, err := c.Inbox.Marks(ctx, []int{source.Partition})
		if err != nil {
			return 0, err
		}
		if marks[source.Partition].Position < 0 {
			return 0, &partition.Gap{Topic: source.Topic, Partition: source.Partition, Wanted: first, Start: start, End: end}
		}
	}
	position, err := c.Inbox.Position(ctx, source.Partition, first, false)
	if err != nil {
		return 0, err
	}
	if position >= start && position <= end {
		return position, nil
	}
	gap := &partition.Gap{Topic: source.Topic, Partition: source.Partition, Wanted: position, Start: start, End: end}
	if position > end || committed < start {
		return 0, gap
	}
	// An operator has committed an offset behind the gap: that is the word that what was
	// in it may be given up.
	c.Logger.Error().Str("gap", gap.Error()).Int64("going_on_at", committed).Msg("commands were lost to retention; an operator has committed an offset behind them")
	return c.Inbox.Position(ctx, source.Partition, committed, true)
}

// stop notes that a partition can't be read, or can again, and says so when it changes.
func (c *Consumer) stop(ctx context.Context, number int, err error) {
	if ctx.Err() != nil {
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
		if errors.Is(err, payout.ErrEpoch) {
			c.EpochLost()
		}
	}
	c.mu.Lock()
	before := c.stopped[number]
	c.stopped[number] = why
	if why == "" {
		delete(c.stopped, number)
	}
	c.mu.Unlock()
	if why == before {
		return
	}
	if why == "" {
		c.Logger.Info().Int("partition", number).Msg("the partition is read again")
		return
	}
	event := c.Logger.Warn()
	if errors.Is(err, payout.ErrEpoch) { // the keeper says more about it
		event = c.Logger.Debug()
	}
	if gap := (*partition.Gap)(nil); errors.As(err, &gap) {
		event = c.Logger.Error().Str("to_do", "find out which commands were lost; then, with all instances stopped, commit an offset behind the gap for the group and start again")
	}
	event.Err(err).Int("partition", number).Msg("the partition can't be read")
}

func (c *Consumer) failed(ctx context.Context, number int, err error) {
	gap := (*partition.Gap)(nil)
	switch {
	case errors.As(err, &gap):
		c.stop(ctx, number, err)
	case errors.Is(err, payout.ErrEpoch):
		c.EpochLost()
	default:
		c.Logger.Warn().Err(err).Int("partition", number).Msg("reading was interrupted, trying again")
	}
}

// take makes a page known, piece by piece: what is decoded takes ten times the room of
// what was read.
func (c *Consumer) take(ctx context.Context, number int, from int64, page partition.Page) error {
	if page.Next == from {
		return c.wanted(ctx, number, from)
	}
	for from < page.Next {
		records, to := page.Records, page.Next
		if len(records) > piece {
			records, to = records[:piece], records[piece].Offset
		}
		if err := c.takePiece(ctx, payout.Range{Partition: number, From: from, To: to}, records); err != nil {
			return err
		}
		page.Records, from = page.Records[len(records):], to
	}
	return nil
}

// takePiece makes records known: dead letters first, then the payouts together with the
// read position, then room for more.
func (c *Consumer) takePiece(ctx context.Context, r payout.Range, records []partition.Record) error {
	now := time.Now()
	in := intake{entries: make([]payout.Entry, 0, len(records)), sources: make([]element, 0, len(records))}
	messages := make([]message, len(records))
	for i := range records {
		messages[i].Record = &records[i]
		c.decode(&in, r.Partition, &messages[i], now)
	}
	if err := c.bury(ctx, r.Partition, in.lost); err != nil {
		return err
	}
	c.Metrics.buried(len(in.lost))
	return c.insert(ctx, r, in.entries, in.sources)
}

// wanted makes sure that the journal wants what stands at an offset, and waits until
// it has room. A new epoch may have set the position back, and where no new command
// comes nothing else would tell: what is to be read again would wait for ever.
func (c *Consumer) wanted(ctx context.Context, number int, at int64) error {
	r := payout.Range{Partition: number, From: at, To: at}
	_, open, err := c.Inbox.Insert(ctx, r, nil)
	if err != nil {
		return err
	}
	return c.room(ctx, r, open)
}

// insert makes entries known. What collides with a known payout goes into the dead
// letters, and only then the position moves on: with all the other entries once more,
// because a new epoch may have begun meanwhile on a Redis that knows none of them.
func (c *Consumer) insert(ctx context.Context, r payout.Range, entries []payout.Entry, sources []element) error {
	var first []payout.Outcome
	var again []int
	for {
		outcomes, open, err := c.Inbox.Insert(ctx, r, entries)
		if err != nil {
			return err
		}
		if first == nil {
			first = slices.Clone(outcomes)
		}
		for _, i := range again {
			first[i] = outcomes[i]
		}
		if !slices.Contains(outcomes, payout.Conflicted) {
			c.Metrics.count(first)
			return c.room(ctx, r, open)
		}
		all := len(entries) == len(first)
		if again = underOther(entries, outcomes); len(again) > 0 {
			if !all { // counted already
				again = nil
			}
			continue
		}
		if entries, sources, err = c.buryConflicts(ctx, r.Partition, entries, sources, outcomes); err != nil {
			return err
		}
	}
}

// underOther gives the entries that collide the other fingerprint of the same content,
// each once, and answers which have one.
func underOther(entries []payout.Entry, outcomes []payout.Outcome) (changed []int) {
	for i, o := range outcomes {
		if e := &entries[i]; o == payout.Conflicted && e.Other != "" {
			e.Payout.Fingerprint, e.Other = e.Other, ""
			changed = append(changed, i)
		}
	}
	return changed
}

// buryConflicts publishes what collides as dead letters, and answers the other entries.
func (c *Consumer) buryConflicts(ctx context.Context, number int, entries []payout.Entry, sources []element, outcomes []payout.Outcome) ([]payout.Entry, []element, error) {
	var all []lost
	var others []payout.Entry
	var otherSources []element
	for i, o := range outcomes {
		if o == payout.Conflicted {
			all = append(all, lost{sources[i], payout.Conflict, "the tradeNo is known with another merchant, amount, currency or payee; the first one goes on"})
		} else {
			others, otherSources = append(others, entries[i]), append(otherSources, sources[i])
		}
	}
	return others, otherSources, c.bury(ctx, number, all)
}

// room waits while the journal is full. Heartbeats go on meanwhile; nothing is fetched.
func (c *Consumer) room(ctx context.Context, r payout.Range, open int) error {
	if open >= c.MaxOpen {
		c.Logger.Warn().Int("open", open).Int("max_open", c.MaxOpen).Int("partition", r.Partition).Msg("the journal is full: nothing is fetched until payouts end")
	}
	for open >= c.MaxOpen {
		if !sleep(ctx, fullPause) {
			return ctx.Err()
		}
		_, now, err := c.Inbox.Insert(ctx, payout.Range{Partition: r.Partition, From: r.To, To: r.To}, nil)
		if err != nil {
			return err
		}
		open = now
	}
	return nil
}
