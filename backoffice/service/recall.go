package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"disburser/backoffice/books"
	"disburser/internal/partition"
	"disburser/message"
)

const (
	// recallWait is how long one fetch of what was said waits, recallAgain the pause after an error.
	recallWait  = time.Second
	recallAgain = 5 * time.Second
)

// recall notes which events of batches stand in their topic, before anything else is read. Books that were lost, or come from an older
// backup, would say them once more, under the same ce_id and perhaps with other numbers. It tries until ctx ends.
func (s *Service) recall(ctx context.Context) {
	told := ""
	for ctx.Err() == nil {
		err := s.recallAll(ctx)
		if err == nil {
			return
		}
		if text := err.Error(); text != told && ctx.Err() == nil && !errors.Is(err, books.ErrMoved) {
			told = text
			s.logger.Error().Err(err).Str("topic", s.config.Kafka.Topics.Batches).Msg("what was said of batches can't be read, so the books don't go on; trying again")
			s.readers.wait("what was said of batches can't be read: " + text)
		}
		pause(ctx, recallAgain)
	}
}

func (s *Service) recallAll(ctx context.Context) error {
	topic := s.config.Kafka.Topics.Batches
	count, err := partition.Count(ctx, s.client, topic)
	if err != nil {
		return err
	}
	for number := range count {
		if err := s.recallFrom(ctx, partition.Source{Client: s.client, Topic: topic, Partition: number}); err != nil {
			return err
		}
	}
	return nil
}

// recallFrom reads a partition of the events, from where it was read to the last time up to its end. A topic that was made anew is read
// from its beginning: what was said in the one before stands in the books.
func (s *Service) recallFrom(ctx context.Context, source partition.Source) error {
	at, err := s.books.Progress(ctx, books.Batches, source.Partition)
	if err != nil {
		return err
	}
	start, end, err := source.Bounds(ctx)
	if err != nil {
		return err
	}
	from := at.Next
	reader := partition.Reader{Source: source}
	defer reader.Release()
	reader.Anchor, _ = partition.ParseAnchor(at.Anchor)
	var other *partition.Other
	if err := source.Check(ctx, reader.Anchor); at.Next > end || errors.As(err, &other) {
		at, reader.Anchor = books.Progress{}, partition.Anchor{}
	} else if err != nil {
		return err
	}
	at.Next = max(at.Next, start)
	for at.Next < end {
		page, err := reader.Next(ctx, at.Next, recallWait)
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", source.Topic, source.Partition, err)
		}
		if page.Next <= at.Next {
			continue // it waits for what is there: ctx ends that
		}
		to := books.Progress{Next: page.Next, Anchor: page.Anchor.String(), Begun: cmp.Or(at.Begun, start), Since: time.Now()}
		if err := s.books.Said(ctx, source.Partition, from, to, eventsSaid(page.Records)); err != nil {
			return err
		}
		from, at = to.Next, to
	}
	return nil
}

// eventsSaid are the events of records. What is none of ours has no id, and is left out.
func eventsSaid(records []partition.Record) (events []books.BatchEvent) {
	for _, r := range records {
		e := books.BatchEvent{BatchID: string(r.Key), Time: r.Time.UnixMilli(), Value: r.Value}
		for _, h := range r.Headers {
			switch h.Key {
			case message.EventIDHeader:
				e.ID = string(h.Value)
			case "ce_type":
				e.Type = string(h.Value)
			}
		}
		if e.ID != "" {
			events = append(events, e)
		}
	}
	return events
}
