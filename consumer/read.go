package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/intake"
)

// decodedAtOnce is how many messages are decoded before they are inserted. Decoded they take ten times
// the memory.
const decodedAtOnce = 1000

// read takes a partition's commands in, from the journal's position on, until ctx ends.
func (c *Consumer) read(ctx context.Context, number int, committed int64) {
	reader := &partition.Reader{Source: partition.Source{Client: c.Client, Topic: c.topic, Partition: number}}
	defer reader.Release()
	backoff, position := retryMin, int64(-1)
	var failures streak
	var asked time.Time // when the journal told last that it has room
	pause := func() { sleep(ctx, backoff); backoff = min(2*backoff, retryMax) }
	for ctx.Err() == nil {
		if position < 0 {
			if c.InEpoch != nil && !c.InEpoch() { // the journal would only refuse
				sleep(ctx, epochPause)
				continue
			}
			at, err := c.begin(ctx, reader, committed)
			if err != nil {
				c.stop(ctx, number, err)
				pause()
				continue
			}
			position = at
			c.stop(ctx, number, failures.lasting())
			if err := c.awaitRoom(ctx, reader, position); err != nil { // it may be full, also after a rebalance
				c.failed(ctx, number, err)
				position = -1
				pause()
				continue
			}
			asked = time.Now()
		}
		known := reader.Anchor
		page, err := c.next(ctx, reader, position)
		if idle := page.Next == position; err == nil && (!idle || c.isSetBack(number, position)) {
			if !idle && time.Since(asked) > fullPause { // others may have filled the journal meanwhile
				err = c.awaitRoom(ctx, reader, position)
			}
			if err == nil {
				err = c.take(ctx, reader, position, page, known)
			}
			asked = time.Now()
		}
		if err != nil {
			if ctx.Err() == nil {
				if failures.count(err) {
					c.stop(ctx, number, err)
				} else {
					c.failed(ctx, number, err)
				}
				position = -1 // whatever it was: ask the journal where to go on
				pause()
			}
			continue
		}
		if failures.lasting() != nil {
			c.stop(ctx, number, nil)
		}
		position, backoff, failures.times = page.Next, retryMin, 0
	}
}

// next fetches the page at an offset. At the end of a partition it waits. If the journal's position is
// set back meanwhile, the committer ends the wait (see sawPositions): then the page is empty.
func (c *Consumer) next(ctx context.Context, reader *partition.Reader, from int64) (partition.Page, error) {
	waiting, end := context.WithCancel(ctx)
	defer end()
	c.mu.Lock()
	c.fetching[reader.Partition] = fetch{from, time.Now(), end}
	c.mu.Unlock()
	page, err := reader.Next(waiting, from, fetchWait)
	c.mu.Lock()
	delete(c.fetching, reader.Partition)
	if err == nil {
		c.told[reader.Partition] = time.Now()
	}
	c.mu.Unlock()
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return partition.Page{Next: from}, nil
	}
	if err == nil {
		c.Metrics.lag(c.topic, reader.Partition, page.End-page.Next, page.End)
	}
	return page, err
}

// sawPositions notes the journal's positions, and ends the waits of fetches that began before the journal
// was asked, at an offset behind its position. A new epoch may have set the position back. Where no new
// command comes, nothing else would tell, and what is to be read again would wait for ever.
func (c *Consumer) sawPositions(marks map[int]intake.Mark, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, m := range marks {
		c.positions[p] = m.Position
		if f, waits := c.fetching[p]; waits && f.from > m.Position && f.began.Before(asked) {
			f.end()
		}
	}
}

// isSetBack tells whether the journal's position, as it was told last, is before an offset.
func (c *Consumer) isSetBack(number int, from int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	position, known := c.positions[number]
	return known && position < from
}

// take inserts what a page holds, decodedAtOnce messages at a time. Known is by what the topic was
// recognised before the page was read. Until all of the page is inserted the journal goes on noting it;
// then it notes the page's own anchor.
func (c *Consumer) take(ctx context.Context, reader *partition.Reader, from int64, page partition.Page, known partition.Anchor) error {
	if page.Next == from {
		return c.awaitRoom(ctx, reader, from)
	}
	for from < page.Next {
		records, to, anchor := page.Records, page.Next, page.Anchor
		if len(records) > decodedAtOnce {
			records, to, anchor = records[:decodedAtOnce], records[decodedAtOnce].Offset, known
		}
		r := intake.Range{Partition: reader.Partition, From: from, To: to, Anchor: anchor.String()}
		open, err := c.takeSome(ctx, r, records)
		if err == nil {
			err = c.waitWhileFull(ctx, reader, to, open)
		}
		if err != nil {
			return err
		}
		page.Records, from = page.Records[len(records):], to
	}
	return nil
}

// takeSome takes records in: first the dead letters are published, then the payouts are inserted together
// with the read position. It answers how many payouts are open.
func (c *Consumer) takeSome(ctx context.Context, r intake.Range, records []partition.Record) (open int, err error) {
	now := c.Now()
	r.Follows = c.Follows() // before Cancelled is asked
	in := decoded{entries: make([]intake.Entry, 0, len(records)), sources: make([]element, 0, len(records))}
	messages := make([]commandRecord, len(records))
	for i := range records {
		messages[i].Record = &records[i]
		c.decode(&in, r.Partition, &messages[i], now)
	}
	if err := c.publishDead(ctx, r.Partition, in.dead); err != nil {
		return 0, err
	}
	c.Metrics.deadLetters(len(in.dead))
	return c.insert(ctx, r, in.entries, in.sources)
}

// awaitRoom makes sure that the journal's position is still at an offset, and waits until it has room.
func (c *Consumer) awaitRoom(ctx context.Context, reader *partition.Reader, at int64) error {
	open, err := c.Inbox.OpenCount(ctx, reader.Partition, at)
	if err != nil {
		return err
	}
	return c.waitWhileFull(ctx, reader, at, open)
}

// insert makes entries known to the journal. What conflicts with a known payout is first published as a
// dead letter. Only then all the other entries are inserted once more, and the position moves on. A new
// epoch may have begun meanwhile on a Redis that knows none of them.
func (c *Consumer) insert(ctx context.Context, r intake.Range, entries []intake.Entry, sources []element) (open int, err error) {
	var first []intake.Outcome
	var again []int
	for {
		outcomes, open, err := c.Inbox.Insert(ctx, r, entries)
		if err != nil {
			return 0, err
		}
		if first == nil {
			first = slices.Clone(outcomes)
		}
		for _, i := range again {
			first[i] = outcomes[i]
		}
		if !slices.Contains(outcomes, intake.Conflicted) {
			c.Metrics.count(first)
			return open, nil
		}
		all := len(entries) == len(first)
		if again = underOther(entries, outcomes); len(again) > 0 {
			if !all { // counted already
				again = nil
			}
			continue
		}
		if entries, sources, err = c.publishConflicts(ctx, r.Partition, entries, sources, outcomes); err != nil {
			return 0, err
		}
	}
}

// underOther gives entries that conflict the next other fingerprint of the same content, and answers which
// have one.
func underOther(entries []intake.Entry, outcomes []intake.Outcome) (changed []int) {
	for i, o := range outcomes {
		if e := &entries[i]; o == intake.Conflicted && len(e.Others) > 0 {
			e.Payout.Fingerprint, e.Others = e.Others[0], e.Others[1:]
			changed = append(changed, i)
		}
	}
	return changed
}

// publishConflicts publishes what conflicts as dead letters, and answers the other entries.
func (c *Consumer) publishConflicts(ctx context.Context, number int, entries []intake.Entry, sources []element, outcomes []intake.Outcome) ([]intake.Entry, []element, error) {
	var all []deadElement
	var others []intake.Entry
	var otherSources []element
	for i, o := range outcomes {
		if o == intake.Conflicted {
			all = append(all, deadElement{sources[i], message.Conflict, "the tradeNo is known with another merchant, amount, currency or payee; the first one goes on"})
		} else {
			others, otherSources = append(others, entries[i]), append(otherSources, sources[i])
		}
	}
	return others, otherSources, c.publishDead(ctx, number, all)
}

// errFull is the error in the log when the journal is full.
var errFull = errors.New("as many payouts are open as disburse.max_open allows")

// waitWhileFull waits while the journal is full. Nothing is fetched or unpacked meanwhile. Heartbeats and
// commits of safe marks go on, so it must go on looking whether it is still the same topic.
func (c *Consumer) waitWhileFull(ctx context.Context, reader *partition.Reader, at int64, open int) error {
	if open >= c.MaxOpen {
		c.Logger.Warn().Err(errFull).Int("open", open).Int("max_open", c.MaxOpen).Int("partition", reader.Partition).Msg("the journal is full: nothing is fetched until payouts end")
		reader.Release()
	}
	for open >= c.MaxOpen {
		if !sleep(ctx, fullPause) {
			return ctx.Err()
		}
		if err := reader.Recheck(ctx); err != nil {
			return err
		}
		var err error
		if open, err = c.Inbox.OpenCount(ctx, reader.Partition, at); err != nil {
			return err
		}
	}
	return nil
}
