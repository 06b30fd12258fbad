package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"disburser/internal/partition"
	"disburser/payout/epochs"
)

// begin answers where to read, once the topic is known to be the one that the journal has read. From
// then on the reader knows by what to recognise it.
func (c *Consumer) begin(ctx context.Context, reader *partition.Reader, committed int64) (int64, error) {
	c.setRecognised(reader.Partition, false)
	position, err := c.whereToRead(ctx, reader.Source, committed)
	if err != nil {
		return 0, err
	}
	if err := c.recognise(ctx, reader, position); err != nil {
		return 0, err
	}
	c.setRecognised(reader.Partition, true)
	return position, nil
}

// recognise compares the partition with what was read of it. The journal has noted that. Where it has
// not (it is new or was wiped), the reader may know. Where neither knows, what stands there now is
// noted.
func (c *Consumer) recognise(ctx context.Context, reader *partition.Reader, position int64) error {
	known := reader.Anchor
	if c.Anchors != nil {
		text, err := c.Anchors.Anchor(ctx, reader.Partition, "")
		if err != nil {
			return err
		}
		remembered, readable := partition.ParseAnchor(text)
		if !readable {
			return fmt.Errorf("%s/%d: what the journal has noted of the topic can't be read (%q): was it written by another version?", reader.Topic, reader.Partition, text)
		}
		if remembered != (partition.Anchor{}) {
			known = remembered
		}
	}
	err := reader.Check(ctx, known)
	if err == nil && known == (partition.Anchor{}) {
		known, err = reader.Learn(ctx, position)
	}
	if err == nil && c.Anchors != nil {
		_, err = c.Anchors.Anchor(ctx, reader.Partition, known.String()) // kept where there is none
	}
	if err == nil {
		reader.Recognised(known)
	}
	return err
}

// whereToRead answers the journal's position. Where the journal has none, the group's committed offset
// becomes its position, or else the partition's start.
func (c *Consumer) whereToRead(ctx context.Context, source partition.Source, committed int64) (int64, error) {
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
	if first > end { // the topic was made anew; a position there could not be set back
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
	// An operator has committed an offset behind the gap. It means: what was in it may be given up.
	c.Logger.Error().Str("gap", gap.Error()).Int64("going_on_at", committed).Msg("commands were lost to retention; an operator has committed an offset behind them")
	return c.Inbox.Position(ctx, source.Partition, committed, true)
}

// stop notes why a partition can't be read, or with nil that it can be again. It logs each change.
func (c *Consumer) stop(ctx context.Context, number int, err error) {
	if ctx.Err() != nil {
		return
	}
	why := ""
	if err != nil {
		why, _, _ = strings.Cut(err.Error(), "\n") // of a panic without the stack
		if errors.Is(err, epochs.ErrOver) {
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
	if errors.Is(err, epochs.ErrOver) { // package decisions says more about it
		event = c.Logger.Debug()
	}
	if toDo := remedy(err); toDo != "" {
		event = c.Logger.Error().Str("to_do", toDo)
	}
	event.Err(err).Int("partition", number).Msg("the partition can't be read")
}

// remedy is what a person must do about a partition that can't be read; "" if nothing.
func remedy(err error) string {
	gap, other, unreadable := (*partition.Gap)(nil), (*partition.Other)(nil), (*partition.Unreadable)(nil)
	switch {
	case errors.As(err, &unreadable):
		return "nothing behind it is read until it can be read, or is given up: docs/operations.md, A record batch that can't be read"
	case errors.As(err, &other), errors.As(err, &gap) && gap.Wanted > gap.End:
		return "if the topic is meant to be another one: with all instances stopped, set the group's offset to the earliest, delete the partition's position from the journal (docs/operations.md, The topic is another one) and start again"
	case gap != nil:
		return "find out which commands were lost; then, with all instances stopped, commit an offset behind the gap for the group and start again"
	}
	return ""
}

// lastingAfter is how often in a row a record batch can't be read before its partition counts as
// stopped. Once or twice may be the connection's fault. It goes on being tried.
const lastingAfter = 3

// streak counts how often in a row a record batch couldn't be read, at one offset.
type streak struct {
	last  *partition.Unreadable
	times int
}

// count counts an error, and tells whether it is of this kind and has come too often for an accident.
func (b *streak) count(err error) bool {
	now := (*partition.Unreadable)(nil)
	if !errors.As(err, &now) {
		return false
	}
	if b.times > 0 && b.last.Offset != now.Offset {
		b.times = 0
	}
	b.last = now
	b.times++
	return b.lasting() != nil
}

// lasting answers the error once it has come too often for an accident.
func (b *streak) lasting() error {
	if b.times < lastingAfter {
		return nil
	}
	return b.last
}

// failed reports an error of reading on. Only those that stop the partition need a person.
func (c *Consumer) failed(ctx context.Context, number int, err error) {
	gap, other := (*partition.Gap)(nil), (*partition.Other)(nil)
	switch {
	case errors.As(err, &gap), errors.As(err, &other):
		c.setRecognised(number, false)
		c.stop(ctx, number, err)
	case errors.Is(err, epochs.ErrOver):
		c.EpochLost()
	default:
		c.Logger.Warn().Err(err).Int("partition", number).Msg("reading was interrupted, trying again")
	}
}
