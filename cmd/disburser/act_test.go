package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/internal/partition"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

const actionsKey = "a key of thirty-two bytes or more"

// actConfig writes a configuration for a Kafka at hand.
func actConfig(t *testing.T, broker, topic string) string {
	t.Helper()
	text := strings.NewReplacer("kafka: {brokers: [127.0.0.1:1]}", "kafka: {brokers: ["+broker+"], topics: {actions: "+topic+"}}", "RATE", "10").Replace(nobody) +
		"actions: {key: " + actionsKey + "}\n"
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestActWritesWhatItSays(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payout.actions"), kfake.SeedTopics(2, "two"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	address := broker.ListenAddrs()[0]
	file := actConfig(t, address, "payout.actions")

	status, out, errs := clitest.Run(t, program(), "act", "pause", "merchant:nobody", "--by", "alice", "--reason", "wrong file", "--config", file)
	if status != cli.Done || !strings.Contains(out, "pause merchant:nobody") || !strings.Contains(out, "payout.actions, offset 0, signed") ||
		!strings.Contains(out, "later than 1s") || !strings.Contains(errs, "no merchant nobody") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	status, out, errs = clitest.Run(t, program(), "act", "resume", "fleet", "--lifts", "1,2", "--by", "bob", "--reason", "ok", "--config", file, "--json")
	var said written
	if err := json.Unmarshal([]byte(out), &said); status != cli.Done || err != nil || errs != "" {
		t.Fatalf("status %d, %v\n%s%s", status, err, out, errs)
	}
	if said.Offset != 1 || said.Kind != acts.Resume || said.Scope != "fleet" || strings.Join(said.Lifts, " ") != "1 2" || said.By != "bob" || !said.Signed || said.ID == "" {
		t.Errorf("%+v", said)
	}

	client := &kafka.Client{Addr: kafka.TCP(address)}
	page, err := partition.Source{Client: client, Topic: "payout.actions"}.Fetch(t.Context(), 0, 0)
	if err != nil || len(page.Records) != 2 {
		t.Fatalf("%d records, %v", len(page.Records), err)
	}
	for i, r := range page.Records {
		record := acts.Record{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, acts.Header{Name: h.Key, Value: h.Value})
		}
		a, result, why := acts.Parse(record, acts.Keys{Current: secrets.New(actionsKey)})
		if result != acts.Obeyed || !a.Trusted || i == 1 && a.ID != said.ID {
			t.Errorf("%+v: %s %s", a, result, why)
		}
	}

	for args, says := range map[string]string{
		"act pause everything --by a --reason b --config " + file:                           "a scope is fleet, merchant:NAME, batch:ID or payout:TRADENO",
		"act pause fleet --by '' --reason b --config " + file:                               "--by must name a person",
		"act pause fleet --by a --reason ' ' --config " + file:                              "--reason must say why",
		"act pause fleet --by a --config " + file:                                           "--reason",
		"act pause fleet --reason b --config " + file:                                       "--by",
		"act pause fleet --by a --reason " + strings.Repeat("x", 501) + " --config " + file: "500 characters",
		"act pause fleet --by a --reason b --config " + actConfig(t, address, "x"):          "kafka has no topic x",
		"act pause fleet --by a --reason b --config " + actConfig(t, address, "two"):        "topic two has 2 partitions",
	} {
		status, out, errs := clitest.Run(t, program(), clitest.Words(args)...)
		if status != cli.Wrong || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%s: status %d\n%s%s", args, status, out, errs)
		}
	}
}

// renew says what it found, what it wrote, and what isn't known. Twice it does nothing.
func TestActRenewSaysWhatItDid(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payout.actions", "payout.decisions"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	address := broker.ListenAddrs()[0]
	file := actConfig(t, address, "payout.actions")
	words := []string{"act", "renew", "--by", "alice", "--reason", "it was deleted", "--config", file}
	status, out, errs := clitest.Run(t, program(), words...)
	if status != cli.Done || !strings.Contains(out, "nobody knows what was in force") || !strings.Contains(out, "the fleet, by action") ||
		!strings.Contains(out, "generation 1 of the topic begins at offset 1") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	client := &kafka.Client{Addr: kafka.TCP(address)}
	value := `{"kind":"alive","shard":0,"latest":{"generation":1,"offset":7,"id":"x"},"kept":true,"inForce":[{"id":"p1","kind":"pause","scope":"batch:b","by":"carol","reason":"wrong"}]}`
	if _, err := client.Produce(t.Context(), &kafka.ProduceRequest{Topic: "payout.decisions", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))})}); err != nil {
		t.Fatal(err)
	}
	status, out, errs = clitest.Run(t, program(), append(words, "--json")...)
	var said renewed
	if err := json.Unmarshal([]byte(out), &said); status != cli.Done || err != nil || errs != "" {
		t.Fatalf("status %d, %v\n%s%s", status, err, out, errs)
	}
	if said.Generation != 2 || said.OnRecord == nil || said.OnRecord.ID != "x" || len(said.Again) != 1 || said.Again[0].Scope != "batch:b" || !said.Whole || said.Pause != "" {
		t.Errorf("%+v", said)
	}
	status, _, errs = clitest.Run(t, program(), words...)
	if status != cli.Failed || !strings.Contains(errs, "there is nothing to renew") {
		t.Errorf("status %d: %s", status, errs)
	}
	if status, _, errs = clitest.Run(t, program(), "act", "renew", "--by", " ", "--reason", "b", "--config", file); status != cli.Wrong || !strings.Contains(errs, "--by must name") {
		t.Errorf("status %d: %s", status, errs)
	}
}
