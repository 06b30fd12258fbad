package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"disburser/actions"
	"disburser/config"
	"disburser/payout/acts"
)

// Said is a reader of what people have said, and of what became of it.
type Said struct {
	links  kafkaLinks
	follow actions.Config
}

// NewSaid makes one. Close it.
func NewSaid(c config.Config, o Options) (*Said, error) {
	o = o.withDefaults()
	links, err := newKafka(c.Kafka, o.Instance, o.DialKafka)
	if err != nil {
		return nil, err
	}
	return &Said{links, actions.Config{
		Client: links.client, Topic: c.Kafka.Topics.Actions, Staleness: c.Actions.Staleness, Rules: rulesOf(c),
		Changed: func() {}, Metrics: actions.NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop(),
	}}, nil
}

// Close ends its connections.
func (s *Said) Close() { s.links.transport.CloseIdleConnections() }

// InForce reads the topic to its end.
func (s *Said) InForce(ctx context.Context) (*acts.View, error) {
	return actions.ReadOnce(ctx, s.follow)
}

// Outcomes reads on from an offset until the outcome of an action stands, of a batch's action that of each shard. At
// the end of ctx it answers those that do, sorted by shard, and the error.
func (s *Said) Outcomes(ctx context.Context, id string, scope acts.Scope, from int64) (all []acts.Ended, err error) {
	wanted := 1
	if scope.Kind == acts.Batch {
		wanted = max(1, s.follow.Rules.Shards)
	}
	heard := newHeard()
	err = actions.Onward(ctx, s.follow, from, func(a acts.Action) bool {
		e := a.Ended
		if a.Of != id || scope.Kind == acts.Payout && e != nil && e.TradeNo != scope.Name || !heard.counts(a) {
			return false
		}
		all = append(all, *e)
		malformed := scope.Kind == acts.Batch && e.Result == acts.Refused && e.Shard == 0
		return len(all) >= wanted || malformed
	})
	slices.SortFunc(all, func(a, b acts.Ended) int { return cmp.Compare(a.Shard, b.Shard) })
	return all, err
}

// Latest reads the last n actions before an offset, the oldest first, with the outcomes of each by its id.
func (s *Said) Latest(ctx context.Context, before int64, n int) (last []acts.Action, outcomes map[string][]acts.Ended, err error) {
	outcomes = map[string][]acts.Ended{}
	heard := newHeard()
	if before == 0 {
		return nil, outcomes, nil
	}
	err = actions.Onward(ctx, s.follow, 0, func(a acts.Action) bool {
		switch {
		case a.Offset >= before:
		case a.Kind == acts.Stands || a.Kind == acts.Outcome: // an instance's word, and no person's
			if heard.counts(a) {
				outcomes[a.Of] = append(outcomes[a.Of], *a.Ended)
			}
		default:
			if last = append(last, a); len(last) > n {
				last = last[1:]
			}
		}
		return a.Offset >= before-1
	})
	return last, outcomes, err
}

// heard is which outcomes count, read in the order of the topic. Of each place the first one does. A refusal of a cancel
// that stands doesn't (protocol A10).
type heard struct {
	stands map[string]bool // by the cancel's id
	places map[string]bool // by the outcome's
}

func newHeard() heard { return heard{map[string]bool{}, map[string]bool{}} }

// counts takes the next record of the topic, and tells whether it is an outcome that counts.
func (h heard) counts(a acts.Action) bool {
	switch {
	case a.Kind == acts.Stands:
		h.stands[a.Of] = true
		return false
	case a.Kind != acts.Outcome || a.Ended.Result == acts.Refused && h.stands[a.Of] || h.places[a.Ended.ID()]:
		return false
	}
	h.places[a.Ended.ID()] = true
	return true
}
