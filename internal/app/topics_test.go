package app

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/config"
	"disburser/internal/kafkatest"
)

func TestTopicsThatForget(t *testing.T) {
	for _, c := range []struct{ policy, bytes, want string }{
		{"delete", "-1", ""},
		{"", "", ""}, // not told: warned of
		{"compact", "-1", "topic x has cleanup.policy=compact"},
		{"compact,delete", "-1", "topic x has cleanup.policy=compact,delete"},
		{"delete", "0", "topic x has retention.bytes=0"},
		{"delete", "1073741824", "topic x has retention.bytes=1073741824"},
	} {
		got := topicSettings{name: "x", values: map[string]string{"cleanup.policy": c.policy, "retention.bytes": c.bytes}}.forgetful()
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, %s: %q", c.policy, c.bytes, got)
		}
	}
}

func TestTopicsThatAreThin(t *testing.T) {
	for _, c := range []struct {
		replicas int
		inSync   string
		required int
		want     string
	}{
		{3, "2", 0, ""},
		{3, "", 0, ""},
		{1, "1", 0, "topic x has 1 replicas, not 3 and has min.insync.replicas=1, not 2"},
		{1, "2", 0, "topic x has 1 replicas, not 3"}, // taken all the same by Kafka 4.4
		{2, "2", 2, ""},
		{2, "2", 3, "topic x has 2 replicas, not 3"},
		{3, "1", 3, "topic x has min.insync.replicas=1, not 2"},
		{3, "", 3, "topic x doesn't tell its min.insync.replicas"},
	} {
		if got := (topicSettings{name: "x", replicas: c.replicas, values: map[string]string{"min.insync.replicas": c.inSync}}).thin(c.required); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// settled runs checkTopics on topics with the given settings.
func settled(t *testing.T, required int, settings map[string]map[string]string, prepare func(*kafkatest.Kafka)) (log string, err error) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{"other": 1})
		for _, topic := range []string{"commands", "results", "decisions", "dead"} {
			if err := k.CreateTopic(topic, 2, settings[topic]); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.CreateTopic("actions", 1, settings["actions"]); err != nil {
			t.Fatal(err)
		}
		prepare(k)
		var said bytes.Buffer
		var c config.Config
		c.Kafka.Topics = config.Topics{Commands: "commands", Results: "results", Decisions: "decisions", DeadLetter: "dead", Actions: "actions"}
		c.Kafka.RequireReplicas = required
		a := &App{logger: zerolog.New(&said), config: c, kafka: kafkaLinks{client: k.Client}}
		err = a.checkTopics(t.Context())
		log = said.String()
	})
	return log, err
}

func TestTheStartRefusesTopicsThatForget(t *testing.T) {
	for _, topic := range []string{"commands", "results", "decisions", "actions", "dead"} {
		for _, setting := range [][2]string{{"cleanup.policy", "compact"}, {"cleanup.policy", "compact,delete"}, {"retention.bytes", "1000000"}} {
			_, err := settled(t, 0, map[string]map[string]string{topic: {setting[0]: setting[1]}}, func(*kafkatest.Kafka) {})
			if topic == "dead" { // nothing is rebuilt from it
				if err != nil {
					t.Error(err)
				}
				continue
			}
			if !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "topic "+topic+" has "+setting[0]+"="+setting[1]) {
				t.Errorf("%s %v: %v", topic, setting, err)
			}
		}
	}
}

func TestSettingsThatCannotBeReadAreAWarning(t *testing.T) {
	log, err := settled(t, 0, map[string]map[string]string{"results": {"cleanup.policy": "compact"}}, func(k *kafkatest.Kafka) {
		k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	})
	if err != nil || strings.Count(log, "doesn't tell these settings") != 4 {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestReplicasAreAskedFor(t *testing.T) {
	two := map[string]string{"min.insync.replicas": "2"}
	all := map[string]map[string]string{"commands": two, "results": two, "decisions": two, "actions": two, "dead": two}
	log, err := settled(t, 0, all, func(k *kafkatest.Kafka) {})
	if err != nil || strings.Count(log, "what is acknowledged may be lost") != 5 {
		t.Errorf("%v\n%s", err, log)
	}
	_, err = settled(t, 3, all, func(k *kafkatest.Kafka) {})
	if !errors.Is(err, ErrSetup) || strings.Count(err.Error(), "replicas, not 3") != 5 {
		t.Errorf("%v", err)
	}
	_, err = settled(t, 1, map[string]map[string]string{"commands": two, "results": two, "decisions": two, "actions": two}, func(k *kafkatest.Kafka) {})
	if !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "topic dead has min.insync.replicas=1, not 2") || strings.Contains(err.Error(), "commands") {
		t.Errorf("%v", err)
	}
}

// A topic that can't hold what people say stops the start, by name (protocol A1). So do brokers that can't tell
// where it ends (protocol A2).
func TestTheStartRefusesATopicOfActions(t *testing.T) {
	anew := func(partitions int32) func(*kafkatest.Kafka) {
		return func(k *kafkatest.Kafka) {
			if err := k.DeleteTopic("actions"); err != nil {
				t.Fatal(err)
			}
			if partitions > 0 {
				if err := k.CreateTopic("actions", partitions, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(*kafkatest.Kafka)
		says    string // "" if it is good
	}{
		"good":           {func(*kafkatest.Kafka) {}, ""},
		"missing":        {anew(0), "kafka has no topic actions"},
		"two partitions": {anew(2), "topic actions has 2 partitions"},
		"cut": {func(k *kafkatest.Kafka) {
			k.Write(t, "actions", 0, kafkatest.Record("a", "b"), kafkatest.Record("c", "d"))
			if err := k.DeleteRecords("actions", 0, 1); err != nil {
				t.Fatal(err)
			}
		}, "topic actions begins at offset 1"},
		"old brokers": {func(k *kafkatest.Kafka) {
			k.ControlKey(int16(kmsg.ApiVersions), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.KeepControl()
				res, _ := r.ResponseKind().(*kmsg.ApiVersionsResponse)
				res.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 2, MaxVersion: 4}, {ApiKey: 3, MaxVersion: 8}, {ApiKey: 18}}
				return res, nil, true
			})
		}, "version 5 of ListOffsets"},
	} {
		_, err := settled(t, 0, nil, c.prepare)
		if (c.says == "") != (err == nil) || err != nil && (!errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
