package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"disburser/actions"
	"disburser/config"
	"disburser/internal/partition"
	"disburser/payout/acts"
)

// keysOf are the keys that vouch for actions.
func keysOf(c config.Actions) acts.Keys { return acts.Keys{Current: c.Key, Old: c.OldKeys} }

// rulesOf are what a fold of the actions goes by.
func rulesOf(c config.Config) acts.Rules {
	return acts.Rules{Keys: keysOf(c.Actions), TwoPeople: c.Actions.TwoPeople, Shards: c.Redis.Shards}
}

// wireActions makes what follows the topic of the actions. All shards share it.
func (a *App) wireActions() {
	a.actions = actions.New(actions.Config{
		Client: a.kafka.client, Topic: a.config.Kafka.Topics.Actions, Staleness: a.config.Actions.Staleness,
		Rules: rulesOf(a.config), Recorder: onRecord{a},
		Changed: a.actionsChanged, Metrics: actions.NewMetrics(a.options.Registry), Logger: a.logger,
	})
}

// actionsChanged tells the loops that something else is in force, or that it is known again.
func (a *App) actionsChanged() {
	a.nudge()
	for _, l := range a.loops {
		l.Sweep()
	}
}

// cancelled tells whether a payout's batch is cancelled.
func (a *App) cancelled(merchant, batchID, tradeNo string) bool {
	_, ends := a.actions.Stops(merchant, batchID, tradeNo).Ends()
	return ends
}

// follows is up to where in the actions cancelled knows.
func (a *App) follows() int64 {
	_, follows := a.actions.Narrow()
	return follows
}

// onRecord puts the latest action on record in every shard.
type onRecord struct{ app *App }

// Record answers the latest of what stands in the shards.
func (r onRecord) Record(ctx context.Context, view *acts.View) (known acts.Place, err error) {
	for _, k := range r.app.keepers {
		p, err := k.Record(ctx, view)
		if err != nil {
			return known, err
		}
		if p.After(known) || p.Denies(view.Latest()) {
			known = p
		}
	}
	return known, nil
}

// checkActions refuses a topic that can't hold what people say (protocol A1), and brokers that can't tell where it
// ends (protocol A2).
func (a *App) checkActions(ctx context.Context, partitions int) error {
	topic := a.config.Kafka.Topics.Actions
	if partitions != 1 {
		return fmt.Errorf("%w: kafka: topic %s has %d partitions: it must have one, or nobody knows which action came first; create another topic, and name it in kafka.topics.actions",
			ErrSetup, topic, partitions)
	}
	start, _, err := partition.Source{Client: a.kafka.client, Topic: topic, Partition: actions.Number}.Bounds(ctx)
	if err != nil {
		return away(err, strings.Join(a.config.Kafka.Brokers, ",")+": ", "kafka.tls", a.config.Kafka.TLS.Enabled)
	}
	if start > 0 {
		return fmt.Errorf("%w: kafka: topic %s begins at offset %d, not at 0: an action that was deleted may have been in force; create another topic, write there what is in force, and name it in kafka.topics.actions",
			ErrSetup, topic, start)
	}
	tells, err := partition.TellsLatest(ctx, a.kafka.client)
	if err != nil {
		return away(err, strings.Join(a.config.Kafka.Brokers, ",")+": ", "kafka.tls", a.config.Kafka.TLS.Enabled)
	}
	if !tells {
		return fmt.Errorf("%w: kafka: the brokers don't know version 5 of ListOffsets: a new leader may hide a pause; update them to Kafka 2.2 or later", ErrSetup)
	}
	return nil
}

// warnOfShortActions tells that the topic of the actions forgets: the start after that is refused.
func (a *App) warnOfShortActions(ctx context.Context) {
	topic := a.config.Kafka.Topics.Actions
	if lasts, told := a.retentionOf(ctx, topic); told && lasts > 0 {
		a.logger.Error().Str("topic", topic).Dur("retention", lasts).
			Msg("the topic forgets what people said, and a start after that is refused: set its retention.ms to -1")
	}
}

// mostShown is how many actions /readyz lists. The metrics count all.
const mostShown = 100

// shown is an action in force, as /readyz says it.
type shown struct {
	Action string    `json:"action"`
	Kind   acts.Kind `json:"kind"`
	Scope  string    `json:"scope"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// inForce says what people forbid, how fresh that is, and what waits for another person's word.
func (a *App) inForce() map[string]any {
	view, fresh := a.actions.View()
	all := view.All()
	list := make([]shown, 0, min(len(all), mostShown))
	for _, s := range all[:min(len(all), mostShown)] {
		list = append(list, shown{s.ID, s.Kind, s.Scope.String(), s.By, s.Reason, s.Since})
	}
	unconfirmed := view.Waiting()
	waits := make([]shown, 0, min(len(unconfirmed), mostShown))
	for _, w := range unconfirmed[:min(len(unconfirmed), mostShown)] {
		waits = append(waits, shown{w.ID, w.Kind, w.Scope.String(), w.By, w.Reason, w.Read})
	}
	said := map[string]any{"fresh": fresh, "count": len(all), "inForce": list, "waitForPerson": waits}
	if counts := a.parked.Load(); counts != nil && len(*counts) > 0 {
		said["parked"] = *counts
	}
	if age, ever := a.actions.Age(); ever {
		said["ageSeconds"] = age.Seconds()
	}
	return said
}
