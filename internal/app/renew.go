package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/actions"
	"disburser/config"
	"disburser/decisions"
	"disburser/internal/partition"
	"disburser/payout/acts"
)

// Renewal is what Renew has found and done.
type Renewal struct {
	OnRecord   decisions.OnRecord
	Again      []acts.Action // what was in force, written again under the same ids
	Pause      *acts.Action  // of the fleet, where not all is known that was in force
	Generation int64
	Offset     int64 // of the record that begins the generation
}

// Renew begins another generation of the topic of the actions, after it was lost or made anew (protocol A1). What was
// in force by the decisions is written again first, and the generation last: until then nothing is sent. Where
// not all of it is known, a pause of the fleet is written before.
func Renew(ctx context.Context, c config.Config, o Options, by, reason string) (done Renewal, err error) {
	o = o.withDefaults()
	links, err := newKafka(c.Kafka, o.Instance, o.DialKafka)
	if err != nil {
		return done, err
	}
	defer links.transport.CloseIdleConnections()
	topic := c.Kafka.Topics.Actions
	if err := actable(ctx, links.client, topic); err != nil {
		return done, err
	}
	fold, holds, err := foldTopic(ctx, links.client, topic, keysOf(c.Actions))
	if err != nil {
		return done, err
	}
	if done.OnRecord, err = decisions.ReadOnRecord(ctx, links.client, c.Kafka.Topics.Decisions); err != nil {
		return done, fmt.Errorf("read what is on record: %w", err)
	}
	latest, at := done.OnRecord.Latest, fold.Latest().Generation
	if latest.Any() && (at > latest.Generation || slices.Contains(holds, latest)) {
		return done, fmt.Errorf("%s holds %s, which is the latest on record: there is nothing to renew", topic, latest)
	}
	done.Generation = max(at, latest.Generation) + 1
	write := func(a acts.Action) (int64, error) {
		record, err := acts.Write(a, c.Actions.Key)
		if err != nil {
			return 0, err
		}
		if _, result, why := acts.Parse(record, keysOf(c.Actions)); result != acts.Obeyed {
			return 0, fmt.Errorf("the action %s can't be written again: %s", a.ID, why)
		}
		return actions.Write(ctx, links.client, topic, record)
	}
	if !done.OnRecord.Whole() {
		done.Pause = &acts.Action{ID: newActionID(), Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Fleet}, By: by, Time: time.Now(),
			Reason: "the topic of the actions was lost, and not all is known that was in force"}
		if _, err := write(*done.Pause); err != nil {
			return done, err
		}
	}
	for _, kept := range done.OnRecord.InForce {
		a, err := kept.Again()
		if err != nil {
			return done, fmt.Errorf("the action %s, which was in force, can't be read: %w", kept.ID, err)
		}
		if _, err := write(a); err != nil {
			return done, err
		}
		for _, confirm := range kept.Confirms(newActionID) {
			if _, err := write(confirm); err != nil {
				return done, err
			}
		}
		if err := stands(ctx, links.client, c, a); err != nil {
			return done, err
		}
		done.Again = append(done.Again, a)
	}
	done.Offset, err = write(acts.Action{ID: newActionID(), Kind: acts.Renew, Generation: done.Generation, By: by, Reason: reason, Time: time.Now()})
	return done, err
}

// stands writes of a batch's cancel that it can't be refused any more. Payouts may have ended by it, and a refusal that
// was void in the topic before may still land here (protocol A10).
func stands(ctx context.Context, client *kafka.Client, c config.Config, a acts.Action) error {
	if a.Kind != acts.Cancel || a.Scope.Kind != acts.Batch {
		return nil
	}
	record, err := acts.StandsFor(a.ID, time.Now(), c.Actions.Key)
	if err == nil {
		_, err = actions.Write(ctx, client, c.Kafka.Topics.Actions, record)
	}
	return err
}

// foldTopic reads the whole topic. holds are the places of its records.
func foldTopic(ctx context.Context, client *kafka.Client, topic string, keys acts.Keys) (fold *acts.Fold, holds []acts.Place, err error) {
	source := partition.Source{Client: client, Topic: topic, Partition: actions.Number}
	start, end, err := source.Bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	if start > 0 {
		return nil, nil, fmt.Errorf("%w: kafka: topic %s begins at offset %d, not at 0: make it anew, with retention.ms=-1, then renew it", ErrSetup, topic, start)
	}
	fold = acts.NewFold(acts.Rules{Keys: keys})
	reader := partition.Reader{Source: source}
	defer reader.Release()
	for next := start; next < end; {
		page, err := reader.Next(ctx, next, time.Second)
		if err != nil {
			return nil, nil, err
		}
		if page.Next == next {
			return nil, nil, fmt.Errorf("%s/%d: the broker didn't return the record at %d, and says that there is one", topic, actions.Number, next)
		}
		for _, r := range page.Records {
			fold.Take(actions.RecordOf(r))
			if p := fold.Latest(); p.Any() {
				holds = append(holds, p)
			}
		}
		next = page.Next
	}
	return fold, holds, nil
}

func newActionID() string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return acts.NewID(time.Now(), random)
}
