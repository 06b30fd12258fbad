package app

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/config"
	"disburser/internal/kafkatest"
)

func TestEndangered(t *testing.T) {
	for _, c := range []struct {
		age, kept time.Duration
		want      bool
	}{
		{time.Hour, 0, false}, // for ever, or not told
		{15 * day, 30 * day, false},
		{15*day + 1, 30 * day, true},
		{0, 30 * day, false},
	} {
		if got := endangered(c.age, c.kept); got != c.want {
			t.Errorf("%v of %v: %v", c.age, c.kept, got)
		}
	}
}

const day = 24 * time.Hour

func TestAnOldSafeMarkIsSaidOnceAnHourForEachPartition(t *testing.T) {
	var log bytes.Buffer
	a := &App{logger: zerolog.New(&log)}
	a.retention.commands = 30 * day
	now := time.Now()
	for range 3 {
		a.warnOfOldMark(1, 16*day, now)
		a.warnOfOldMark(2, 16*day, now)
		a.warnOfOldMark(3, 14*day, now)
	}
	if n := strings.Count(log.String(), "the safe mark is older"); n != 2 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	a.warnOfOldMark(1, 16*day, now.Add(sayAgain))
	if n := strings.Count(log.String(), `"partition":1`); n != 2 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}

func TestRetentionIsReadFromTheTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{"commands": 1, "results": 1, "decisions": 1})
		for topic, value := range map[string]string{"commands": "86400000", "results": "-1"} {
			res, err := k.Client.AlterConfigs(t.Context(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.AlterConfigRequestConfig{{Name: "retention.ms", Value: value}},
			}}})
			if err != nil || len(res.Errors) != 1 {
				t.Fatal(err, res)
			}
		}
		registry := prometheus.NewRegistry()
		var log bytes.Buffer
		var c config.Config
		c.Kafka.Topics.Commands, c.Kafka.Topics.Results, c.Kafka.Topics.Decisions = "commands", "results", "decisions"
		c.Redis.DedupWindow = 2 * day
		a := &App{logger: zerolog.New(&log), config: c, kafka: kafkaLinks{client: k.Client}, gauges: newGauges(registry, nil)}
		a.lookAtRetention(t.Context())
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]float64{}
		for _, f := range families {
			if f.GetName() == "disburser_topic_retention_seconds" {
				for _, m := range f.GetMetric() {
					shown[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
		if a.retention.commands != day || shown["commands"] != 86400 || !math.IsInf(shown["results"], 1) {
			t.Errorf("%v, %v\n%s", a.retention.commands, shown, &log)
		}
		if n := strings.Count(log.String(), "shorter than redis.dedup_window"); n != 1 {
			t.Errorf("%s", &log)
		}
	})
}
