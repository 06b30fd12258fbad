package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"disburser/internal/partition"
)

// missingTopics are those that don't exist. A Kafka that doesn't answer is no reason to stop: it is tried again.
func (s *Service) missingTopics(ctx context.Context) (problems []error) {
	names := append(slices.Sorted(maps.Values(s.names)), s.config.Kafka.Topics.Batches)
	counts, err := partition.Counts(ctx, s.client, names...)
	if err != nil {
		s.logger.Error().Err(err).Msg("Kafka doesn't tell its topics; the books are read as soon as it does")
		return nil
	}
	for _, name := range names {
		if counts[name] == 0 {
			problems = append(problems, fmt.Errorf("%w: kafka has no topic %s: create it, or correct kafka.topics", ErrSetup, name))
		}
	}
	return problems
}

// Probe tries Kafka and the database. It answers a sentence for each that answered, and an error for each that didn't.
func (s *Service) Probe(ctx context.Context) (well []string, problems []error) {
	defer s.Close()
	names := append(slices.Sorted(maps.Values(s.names)), s.config.Kafka.Topics.Batches)
	if counts, err := partition.Counts(ctx, s.client, names...); err != nil {
		problems = append(problems, fmt.Errorf("kafka (kafka.brokers): %w", err))
	} else if missing := s.missingTopics(ctx); len(missing) > 0 {
		problems = append(problems, missing...)
	} else {
		well = append(well, fmt.Sprintf("kafka answers, and has %d topics", len(counts)))
	}
	if err := s.open(ctx); err != nil {
		return well, append(problems, err)
	}
	well = append(well, "the database answers, and its tables are up to date")
	if err := s.books.Close(); err != nil {
		problems = append(problems, err)
	}
	return well, problems
}
