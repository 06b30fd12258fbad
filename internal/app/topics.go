package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
)

// What is acknowledged must outlive a machine: three replicas, of which two take part in
// each write, bear the loss of one.
const (
	goodReplicas = 3
	goodInSync   = 2

	// lookAtSettingsFor bounds a look at them while the service runs.
	lookAtSettingsFor = 10 * time.Second
)

// topicSettings are what Kafka says of a topic; a setting that it doesn't tell is missing.
type topicSettings struct {
	name     string
	replicas int // of the partition that has the fewest, 0 if it isn't told
	values   map[string]string
}

// settingsAsked are the ones that money depends on.
var settingsAsked = []string{"cleanup.policy", "retention.bytes", "min.insync.replicas"}

// forgetful says why a topic forgets what a lost journal needs, "" if it doesn't.
func (t topicSettings) forgetful() string {
	if policy := t.values["cleanup.policy"]; strings.Contains(policy, "compact") {
		return fmt.Sprintf("topic %s has cleanup.policy=%s: compaction drops records that share a key; set it to delete", t.name, policy)
	}
	if bytes, err := strconv.ParseInt(t.values["retention.bytes"], 10, 64); err == nil && bytes >= 0 {
		return fmt.Sprintf("topic %s has retention.bytes=%d: it deletes by size what is still needed; set it to -1", t.name, bytes)
	}
	return ""
}

// untold are the settings that decide and that Kafka doesn't tell.
func (t topicSettings) untold() (names []string) {
	for _, name := range []string{"cleanup.policy", "retention.bytes"} {
		if t.values[name] == "" {
			names = append(names, name)
		}
	}
	return names
}

// thin says why what is acknowledged may be lost with one machine, "" if it isn't. With
// required > 0 it says what of that is missing.
func (t topicSettings) thin(required int) string {
	inSync, err := strconv.Atoi(t.values["min.insync.replicas"])
	told := err == nil
	least := goodReplicas
	if required > 0 {
		least = required
	}
	var why []string
	if t.replicas < least {
		why = append(why, fmt.Sprintf("has %d replicas, not %d", t.replicas, least))
	}
	switch {
	case !told && required > 0:
		why = append(why, "doesn't tell its min.insync.replicas")
	case told && inSync < goodInSync:
		why = append(why, fmt.Sprintf("has min.insync.replicas=%d, not %d", inSync, goodInSync))
	}
	if len(why) == 0 {
		return ""
	}
	return "topic " + t.name + " " + strings.Join(why, " and ")
}

// checkTopicSettings refuses topics that would forget too early or, if the configuration
// says so, that are kept on too few machines. What can't be read is a warning.
func (a *App) checkTopicSettings(ctx context.Context, topics []string) error {
	all, err := a.settingsOf(ctx, topics)
	if err != nil {
		return err
	}
	required := a.config.Kafka.RequireReplicas
	refused := a.forgetting(all)
	for _, t := range all {
		if names := t.untold(); len(names) > 0 && a.remembers(t.name) {
			a.logger.Warn().Str("topic", t.name).Strs("settings", names).
				Msg("kafka doesn't tell these settings: see to it that the topic isn't compacted, nor cut by size")
		}
		switch why := t.thin(required); {
		case why == "":
		case required > 0:
			refused = append(refused, why+": give it more, or set kafka.require_replicas to 0")
		default:
			a.logger.Warn().Str("topic", t.name).Int("replicas", t.replicas).Str("min_insync_replicas", t.values["min.insync.replicas"]).
				Msg(why + ": what is acknowledged may be lost with one machine, and what is lost may be paid twice")
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w: kafka: %s", ErrSetup, strings.Join(refused, "; "))
	}
	return nil
}

// remembers tells whether what a topic holds is needed for long: a lost journal is rebuilt from it, or people
// said it.
func (a *App) remembers(topic string) bool {
	t := a.config.Kafka.Topics
	return topic == t.Commands || topic == t.Results || topic == t.Decisions || topic == t.Actions
}

// forgetting says of each topic that forgets too early why.
func (a *App) forgetting(all []topicSettings) (why []string) {
	for _, t := range all {
		if said := t.forgetful(); said != "" && a.remembers(t.name) {
			why = append(why, said)
		}
	}
	return why
}

// lookAtSettings tells of topics that have become forgetful while the service runs.
func (a *App) lookAtSettings(ctx context.Context, topics []string) {
	ctx, cancel := context.WithTimeout(ctx, lookAtSettingsFor)
	defer cancel()
	all, err := a.settingsOf(ctx, topics)
	if err != nil {
		return // it is away: others say so
	}
	for _, why := range a.forgetting(all) {
		a.logger.Error().Msg("what is needed for long is being deleted, and the next start is refused: " + why)
	}
}

// settingsOf reads what Kafka tells of topics.
func (a *App) settingsOf(ctx context.Context, topics []string) ([]topicSettings, error) {
	replicas, err := partition.Replicas(ctx, a.kafka.client, topics...)
	if err != nil {
		return nil, err
	}
	all := make([]topicSettings, len(topics))
	request := &kafka.DescribeConfigsRequest{}
	for i, topic := range topics {
		all[i] = topicSettings{name: topic, replicas: replicas[topic], values: map[string]string{}}
		request.Resources = append(request.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: settingsAsked,
		})
	}
	res, err := a.kafka.client.DescribeConfigs(ctx, request)
	if err != nil {
		a.logger.Debug().Err(err).Msg("kafka doesn't tell the settings of topics")
		return all, nil
	}
	for _, r := range res.Resources {
		i := slices.Index(topics, r.ResourceName)
		if i < 0 || r.Error != nil {
			continue
		}
		for _, entry := range r.ConfigEntries {
			all[i].values[entry.ConfigName] = entry.ConfigValue
		}
	}
	return all, nil
}

// lived tells whether the group has committed an offset of the commands: that is done in
// an epoch only, so there was one.
func (a *App) lived(ctx context.Context) (bool, error) {
	topic := a.config.Kafka.Topics.Commands
	count, err := partition.Count(ctx, a.kafka.client, topic)
	if err != nil {
		return false, err
	}
	partitions := make([]int, count)
	for p := range partitions {
		partitions[p] = p
	}
	res, err := a.kafka.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: a.config.Kafka.Group, Topics: map[string][]int{topic: partitions}})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return false, fmt.Errorf("ask for the offsets that group %s has committed: %w", a.config.Kafka.Group, err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return false, fmt.Errorf("ask for the offset that group %s has committed of %s/%d: %w", a.config.Kafka.Group, topic, p.Partition, p.Error)
		}
		if p.CommittedOffset >= 0 {
			return true, nil
		}
	}
	return false, nil
}
