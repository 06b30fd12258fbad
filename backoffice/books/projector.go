package books

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"disburser/internal/partition"
	"disburser/payout/secrets"
)

const (
	// pageRecords and pageReads bound what is written at once: so much shares a transaction, and no more memory is needed.
	pageRecords = 2000
	pageReads   = 1

	// fetchWait is how long a fetch waits for a record.
	fetchWait = 500 * time.Millisecond

	// behindMuch is from how many records on a partition is behind by so much that it takes turns with others.
	behindMuch = 1000

	// pagesInTurn is how many pages it reads then in one turn.
	pagesInTurn = 16

	// retryEvery is the pause after an error, and after somebody else has read a page.
	retryEvery = time.Second
)

// Projector reads one partition into the books. One goroutine, Run, uses it.
type Projector struct {
	Store   Store
	Source  partition.Source
	Topic   Topic
	Resolve Resolve
	Key     secrets.Secret
	Unread  func(records int) // told of records that can't be read
	Turns   chan struct{}     // bounds how many partitions catch up at once: each holds a page in memory; nil: no bound
	Logger  zerolog.Logger

	lag     atomic.Int64 // -1: not known yet
	trouble atomic.Pointer[string]
}

// NewProjector completes one.
func NewProjector(p *Projector) *Projector {
	p.lag.Store(-1)
	return p
}

// Lag is how many records are there that the books don't know; -1 while nobody knows.
func (p *Projector) Lag() int64 { return p.lag.Load() }

// Trouble says why the partition isn't read, "" if it is.
func (p *Projector) Trouble() string {
	if text := p.trouble.Load(); text != nil {
		return *text
	}
	return ""
}

// Run reads until ctx ends.
func (p *Projector) Run(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		err := p.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrMoved) { // another instance reads it: this one goes on where that one is
			p.trouble.Store(nil)
		} else if err != nil {
			text := err.Error()
			p.trouble.Store(&text)
			if text != said {
				p.Logger.Error().Err(err).Str("topic", p.Source.Topic).Int("partition", p.Source.Partition).Msg("the books don't go on; trying again")
			}
			said = text
		}
		pause(ctx, retryEvery)
	}
}

// follow reads from where the books are, until an error.
func (p *Projector) follow(ctx context.Context) error {
	at, err := p.Store.Progress(ctx, p.Topic, p.Source.Partition)
	if err != nil {
		return err
	}
	from := at.Next
	start, end, err := p.Source.Bounds(ctx)
	if err != nil {
		return err
	}
	if at.Since.IsZero() { // never read before
		at.Next, at.Begun = start, start
	}
	p.lag.Store(max(0, end-at.Next))
	anchor, ok := partition.ParseAnchor(at.Anchor)
	if !ok {
		return fmt.Errorf("%s/%d: by what the topic is recognised can't be read (%q): rebuild the books", p.Source.Topic, p.Source.Partition, at.Anchor)
	}
	reader := partition.Reader{Source: p.Source, Anchor: anchor}
	defer reader.Release()
	decoder := NewDecoder(p.Topic, p.Source.Partition, p.Resolve, p.Key)
	for {
		done, err := p.turn(ctx)
		if err != nil {
			return err
		}
		for range pagesInTurn {
			if at, from, err = p.step(ctx, &reader, decoder, at, from); err != nil || p.lag.Load() <= behindMuch {
				break
			}
		}
		if done(); err != nil {
			return err
		}
		if p.lag.Load() > behindMuch { // what was fetched takes memory while others have their turn
			reader.Release()
			reader = partition.Reader{Source: p.Source, Anchor: reader.Anchor}
		}
	}
}

// turn waits for a turn, where the partition is far behind.
func (p *Projector) turn(ctx context.Context) (done func(), err error) {
	if p.Turns == nil || p.lag.Load() <= behindMuch {
		return func() {}, nil
	}
	select {
	case p.Turns <- struct{}{}:
		return func() { <-p.Turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// step reads and writes a page. from is the offset as the books have it.
func (p *Projector) step(ctx context.Context, reader *partition.Reader, decoder *Decoder, at Progress, from int64) (Progress, int64, error) {
	records, to, end, err := p.read(ctx, reader, at)
	if err != nil {
		return at, from, p.explain(err)
	}
	p.lag.Store(end - at.Next) // what is read isn't known to the books before it is written
	p.trouble.Store(nil)
	if to.Next == at.Next {
		return at, from, nil
	}
	if decoder.Fences = maps.Clone(at.Fences); decoder.Fences == nil {
		decoder.Fences = Fences{}
	}
	page := Page{Topic: p.Topic, Partition: p.Source.Partition, From: from, Facts: decoder.Page(records)}
	to.Fences = decoder.Fences
	page.To = to
	if err := Write(ctx, p.Store, page, time.Now()); err != nil {
		return at, from, err
	}
	p.lag.Store(end - to.Next)
	if page.Facts.Unread > 0 {
		p.Unread(page.Facts.Unread)
	}
	return to, to.Next, nil
}

// read takes what is there, up to a bound.
func (p *Projector) read(ctx context.Context, reader *partition.Reader, at Progress) (records []partition.Record, to Progress, end int64, err error) {
	to = at
	for range pageReads {
		page, err := reader.Next(ctx, to.Next, fetchWait)
		var gap *partition.Gap
		if errors.As(err, &gap) && gap.Wanted < gap.Start {
			p.Logger.Error().Err(err).Msg("the books lack what retention has deleted before it was read: longer retention, or a faster start, keeps that")
			to.Missed += gap.Start - to.Next
			to.Next = gap.Start
			continue
		}
		if err != nil {
			return nil, to, 0, err
		}
		records = append(records, page.Records...)
		to.Next, to.Anchor, end = max(to.Next, page.Next), page.Anchor.String(), page.End
		if len(page.Records) > 0 && to.Since.IsZero() {
			to.Since = page.Records[0].Time
		}
		if to.Next >= page.End || len(records) >= pageRecords {
			break
		}
	}
	if to.Next > at.Next && to.Since.IsZero() {
		to.Since = time.Now()
	}
	return records, to, end, nil
}

// explain says what to do about a topic that isn't the one that was read.
func (p *Projector) explain(err error) error {
	var other *partition.Other
	var gap *partition.Gap
	if errors.As(err, &other) || errors.As(err, &gap) {
		return fmt.Errorf("%w: if it was made anew, run backoffice rebuild", err)
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
