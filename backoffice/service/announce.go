package service

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/message"
)

const (
	// announceEvery is how often events of batches are looked for, announceAtOnce how many are published together.
	announceEvery  = 500 * time.Millisecond
	announceAtOnce = 100

	// announceAgain is the pause after an error.
	announceAgain = 5 * time.Second
)

// announce publishes the events of batches until ctx ends. They are rows of the books: whoever publishes one, and however
// often, says the same under the same ce_id.
func (s *Service) announce(ctx context.Context) {
	w := &kafka.Writer{
		Addr: s.client.Addr, Topic: s.config.Kafka.Topics.Batches, Transport: s.transport, Balancer: kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, MaxAttempts: 3,
	}
	defer w.Close() //nolint:errcheck // what isn't acknowledged is published again
	for ctx.Err() == nil {
		n, err := s.announceSome(ctx, w)
		if err != nil && ctx.Err() == nil {
			s.logger.Error().Err(err).Str("topic", w.Topic).Msg("events of batches are not published; trying again")
			pause(ctx, announceAgain)
		}
		if n < announceAtOnce {
			pause(ctx, announceEvery)
		}
	}
}

func (s *Service) announceSome(ctx context.Context, w *kafka.Writer) (int, error) {
	events, err := s.books.Waiting(ctx, announceAtOnce)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	messages := make([]kafka.Message, len(events))
	for i, e := range events {
		m := encode(e)
		messages[i] = kafka.Message{Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)}
	}
	if err := w.WriteMessages(ctx, messages...); err != nil {
		return 0, fmt.Errorf("publish %d events of batches: %w", len(events), err)
	}
	s.metrics.announced.Add(float64(len(events)))
	return len(events), s.books.Published(ctx, events)
}

func encode(e books.BatchEvent) message.Message {
	return message.EncodeCloudEvent(message.CloudEvent{
		ID: e.ID, Source: "/backoffice", Type: e.Type, Subject: e.BatchID, Time: time.UnixMilli(e.Time), Key: e.BatchID, Value: e.Value,
	})
}
