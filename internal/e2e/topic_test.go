//go:build real

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"

	"disburser/internal/partition"
	"disburser/paypro/paysim"
)

// commandsTopic makes the commands topic.
func (s *site) commandsTopic(partitions int, entries ...kafka.ConfigEntry) {
	s.t.Helper()
	until(s.t, 20*time.Second, "the topic is made", func() bool {
		res, err := s.client.CreateTopics(s.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: s.topics.Commands, NumPartitions: partitions, ReplicationFactor: 1,
			ConfigEntries: append(entries, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "-1"}),
		}}})
		return err == nil && res.Errors[s.topics.Commands] == nil // the old one may still be on its way out
	})
}

// order publishes n payouts in one batch, each with the given time.
func (s *site) order(n int, at time.Time, how compress.Compression, name string) {
	s.t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafka.Record{Time: at, Value: kafka.NewBytes(fmt.Appendf(nil,
			`{"tradeNo": "%s-%s-%d", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`, s.id, name, i))}
	}
	until(s.t, 20*time.Second, "the commands are written", func() bool {
		res, err := s.client.Produce(s.t.Context(), &kafka.ProduceRequest{
			Topic: s.topics.Commands, RequiredAcks: kafka.RequireAll, Compression: how, Records: kafka.NewRecordReader(records...),
		})
		return err == nil && res.Error == nil
	})
}

// A real broker writes its time into the batch and leaves the producer's in the records.
func TestTheBrokersTimeCountsOnARealTopic(t *testing.T) {
	s := newSite(t, paysim.Behavior{}, paysim.Behavior{})
	s.commandsTopic(1, kafka.ConfigEntry{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"})
	began := time.Now()
	for _, how := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		for name, claim := range map[string]time.Time{
			"ahead": began.Add(240 * time.Hour), "behind": began.Add(-2000 * time.Hour), "seconds": time.UnixMilli(began.Unix()), "none": time.UnixMilli(-1),
		} {
			s.order(3, claim, how, how.String()+name)
		}
	}
	source := partition.Source{Client: s.client, Topic: s.topics.Commands}
	read := 0
	for at := int64(0); at < 60; {
		page, err := source.Fetch(t.Context(), at, time.Second)
		if err != nil || page.Next == at {
			t.Fatal(at, err)
		}
		for _, r := range page.Records {
			if off := r.Time.Sub(began); off < -time.Minute || off > 5*time.Minute {
				t.Errorf("offset %d: %v", r.Offset, r.Time)
			}
			read++
		}
		at = page.Next
	}
	if read != 60 {
		t.Fatal(read)
	}
}

// Commands whose producer claims that they are older than the dedup window are paid all the same.
func TestWrongClocksOfProducersHoldNothing(t *testing.T) {
	s := newSite(t, paysim.Behavior{}, paysim.Behavior{})
	s.createTopics(s.topics.Commands)
	s.commandsTopic(1, kafka.ConfigEntry{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"})
	s.order(20, time.Now().Add(-2000*time.Hour), compress.Zstd, "old")
	w := s.watch()
	s.start().ready(40 * time.Second)
	paid := 0
	until(t, 60*time.Second, "all is paid", func() bool { paid, _ = w.Progress(); return paid == 20 })
}

func TestATopicMadeAnewStopsItsPartition(t *testing.T) {
	s := newSite(t, paysim.Behavior{}, paysim.Behavior{})
	s.createTopics(s.topics.Commands)
	s.commandsTopic(1)
	s.order(9, time.Now(), compress.None, "before")
	w := s.watch()
	one := s.start()
	one.ready(40 * time.Second)
	until(t, 60*time.Second, "all is paid", func() bool { n, _ := w.Progress(); return n == 9 })
	one.terminate()
	if res, err := s.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{s.topics.Commands}}); err != nil || res.Errors[s.topics.Commands] != nil {
		t.Fatal(err, res)
	}
	s.commandsTopic(1)
	s.order(12, time.Now(), compress.None, "after")
	two := s.start()
	until(t, 60*time.Second, "it stops", func() bool { return strings.Contains(string(two.Printed()), "was the topic made anew") })
	until(t, 20*time.Second, "it isn't ready, and says why", func() bool {
		return strings.Contains(two.unready(20*time.Second), "at offset 8 stands another record")
	})
	if n, _ := w.Progress(); n != 9 {
		t.Fatalf("%d have ended", n)
	}
}
