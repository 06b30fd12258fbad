package app

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// lookAtRetention is how often the topics are asked how long they keep: an operator may
	// change it while the service runs.
	lookAtRetention = time.Hour

	// sayAgain is how often an old safe mark is logged, for each partition.
	sayAgain = time.Hour
)

// retention is how long Kafka stores the commands, and who has been warned.
type retention struct {
	mu       sync.Mutex
	commands time.Duration // 0: unknown, or for ever
	warned   map[int]time.Time
}

// watchRetention tells of topics that forget sooner than deduplication remembers, and
// notes what they say for the metric and for warnOfOldMark.
func (a *App) watchRetention(ctx context.Context) {
	for ctx.Err() == nil {
		a.lookAtRetention(ctx)
		sleep(ctx, lookAtRetention)
	}
}

func (a *App) lookAtRetention(ctx context.Context) {
	t := a.config.Kafka.Topics
	a.lookAtSettings(ctx, []string{t.Commands, t.Results, t.Decisions, t.Actions})
	a.warnOfShortActions(ctx)
	for _, topic := range []string{t.Commands, t.Results, t.Decisions} {
		lasts, told := a.retentionOf(ctx, topic)
		if !told {
			a.logger.Warn().Str("topic", topic).Msg("kafka doesn't tell the topic's retention: see to it that it is no shorter than redis.dedup_window")
			continue
		}
		if lasts > 0 && lasts < a.config.Redis.DedupWindow {
			a.logger.Warn().Str("topic", topic).Dur("retention", lasts).Dur("dedup_window", a.config.Redis.DedupWindow).
				Msg("the topic's retention is shorter than redis.dedup_window: a lost journal could not be rebuilt whole")
		}
		a.gauges.retention.WithLabelValues(topic).Set(seconds(lasts))
		if topic == t.Commands {
			a.retention.mu.Lock()
			a.retention.commands = lasts
			a.retention.mu.Unlock()
		}
	}
}

func seconds(lasts time.Duration) float64 {
	if lasts == 0 {
		return math.Inf(1)
	}
	return lasts.Seconds()
}

// retentionOf answers how long a topic keeps its records, 0 for ever.
func (a *App) retentionOf(ctx context.Context, topic string) (lasts time.Duration, told bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	res, err := a.kafka.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"},
	}}})
	if err != nil || len(res.Resources) == 0 || len(res.Resources[0].ConfigEntries) == 0 {
		return 0, false
	}
	ms, err := strconv.ParseInt(res.Resources[0].ConfigEntries[0].ConfigValue, 10, 64)
	return max(0, time.Duration(ms)*time.Millisecond), err == nil
}

// endangered tells that a command which holds back the safe mark will soon be deleted. A
// journal that is wiped after that could never learn of its payout again. Half of the
// retention leaves as much time to mend it. Open payouts are carried forward at a quarter of
// the window, so only what stops that comes so far.
func endangered(age, lasts time.Duration) bool { return lasts > 0 && age > lasts/2 }

// warnOfOldMark says it aloud, beside the metric.
func (a *App) warnOfOldMark(partition int, age time.Duration, now time.Time) {
	a.retention.mu.Lock()
	defer a.retention.mu.Unlock()
	if !endangered(age, a.retention.commands) || now.Sub(a.retention.warned[partition]) < sayAgain {
		return
	}
	if a.retention.warned == nil {
		a.retention.warned = map[int]time.Time{}
	}
	a.retention.warned[partition] = now
	a.logger.Error().Str("topic", a.config.Kafka.Topics.Commands).Int("partition", partition).Dur("age", age).Dur("retention", a.retention.commands).
		Msg("the safe mark is older than half of what the topic keeps: raise retention.ms, then see what holds it back (disburser_open_payouts)")
}
