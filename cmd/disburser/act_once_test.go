package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"disburser/actions"
	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/internal/partition"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// answering has each new action of a kind answered with outcomes, as instances do it.
func answering(t *testing.T, broker *kfake.Cluster, with func(a acts.Action) []acts.Ended) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(broker.ListenAddrs()[0])}
	go func() {
		for next := int64(0); t.Context().Err() == nil; {
			page, err := partition.Source{Client: client, Topic: "payout.actions"}.Fetch(t.Context(), next, 100*time.Millisecond)
			if err != nil {
				continue
			}
			for _, r := range page.Records {
				if r.Offset < next {
					continue
				}
				record := acts.Record{Key: r.Key, Value: r.Value, Offset: r.Offset}
				for _, h := range r.Headers {
					record.Headers = append(record.Headers, acts.Header{Name: h.Key, Value: h.Value})
				}
				a, _, _ := acts.Parse(record, acts.Keys{Current: secrets.New(actionsKey)})
				if a.Kind == acts.Outcome {
					continue
				}
				for _, e := range with(a) {
					e.Of, e.Time = a.ID, time.Now()
					if a.Kind == acts.Confirm {
						e.Of = a.Of
					}
					answer, _ := e.Record(secrets.New(actionsKey))
					_, _ = actions.Write(t.Context(), client, "payout.actions", answer)
				}
			}
			next = max(next, page.Next)
		}
	}()
}

func TestOutcomesAreTold(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payout.actions"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	file := actConfig(t, broker.ListenAddrs()[0], "payout.actions")
	answering(t, broker, func(a acts.Action) []acts.Ended {
		switch a.Reason {
		case "done":
			return []acts.Ended{{Result: acts.Done, TradeNo: a.Scope.Name, Detail: "it was never sent"}, {Result: acts.Refused, TradeNo: a.Scope.Name}}
		case "refused":
			return []acts.Ended{{Result: acts.Refused, TradeNo: a.Scope.Name, Detail: "it is not held", Evidence: &acts.Evidence{Finding: "paid", Code: "0000", Asks: 3}}}
		case "uncertain":
			return []acts.Ended{{Result: acts.Expired, TradeNo: a.Scope.Name, Uncertain: true}}
		case "batch":
			return []acts.Ended{{Result: acts.Done, Counts: map[string]int{"rejected": 7, "sent": 2}}}
		case "another payout's":
			return []acts.Ended{{Result: acts.Done, TradeNo: "other"}}
		}
		if a.Kind == acts.Confirm {
			return []acts.Ended{{Result: acts.Done, TradeNo: "t-3"}}
		}
		return nil
	})
	for _, c := range []struct {
		args, reason string
		status       int
		says         []string
	}{
		{"ask payout:t-1", "done", cli.Done, []string{"says\task payout:t-1", "done\tt-1: it was never sent"}},
		{"resolve t-1 --as failed", "refused", cli.Failed, []string{"says\tresolve payout:t-1 as failed", "refused\tt-1: it is not held (the provider: paid 0000 after 3 asks)"}},
		{"resolve payout:t-2 --as paid", "uncertain", cli.Failed, []string{"it may have happened; the payout is not known"}},
		{"cancel batch:b1", "batch", cli.Done, []string{"done\tshard 0, 7 rejected, 2 sent"}},
		{"cancel payout:t-1 --wait 2s", "another payout's", cli.Failed, []string{"no outcome\tnobody has said"}},
		{"ask batch:b1 --wait 1s --deadline 5m", "nobody answers", cli.Failed, []string{"no outcome\t"}},
		{"ask batch:b1 --wait 0s", "nobody waits", cli.Done, []string{"says\task batch:b1"}},
	} {
		args := append([]string{"act"}, clitest.Words(c.args)...)
		status, out, errs := clitest.Run(t, program(), append(args, "--by", "alice", "--reason", c.reason, "--config", file)...)
		if status != c.status {
			t.Errorf("%s: status %d\n%s%s", c.args, status, out, errs)
		}
		for _, says := range c.says {
			if !strings.Contains(out, says) {
				t.Errorf("%s: not %q:\n%s%s", c.args, says, out, errs)
			}
		}
	}
	// By force it needs another person, who isn't the same one.
	status, out, errs := clitest.Run(t, program(), "act", "resolve", "t-3", "--as", "paid", "--force", "--wait", "0s", "--by", "alice", "--reason", "seen", "--config", file, "--json")
	var said written
	if err := json.Unmarshal([]byte(out), &said); err != nil || status != cli.Done || !strings.Contains(errs, "disburser act confirm "+said.ID) || said.Deadline == nil || said.Deadline.Sub(said.Time) != acts.LastsOfTwo {
		t.Fatalf("status %d, %v\n%s%s", status, err, out, errs)
	}
	confirm := func(by string) (int, string, string) {
		return clitest.Run(t, program(), "act", "confirm", said.ID, "--by", by, "--reason", "agreed", "--config", file)
	}
	if status, out, errs := confirm("alice"); status != cli.Failed || out != "" || !strings.Contains(errs, "nobody confirms their own action") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	status, out, errs = clitest.Run(t, program(), "act", "list", "--config", file)
	if status != cli.Done || !strings.Contains(out, "in force\t") || !strings.Contains(out, "cancel batch:b1") || !strings.Contains(out, "for another person") || !strings.Contains(out, "outcome\t") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := confirm("bob"); status != cli.Done || !strings.Contains(out, "done\tt-3") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	status, out, _ = clitest.Run(t, program(), "act", "list", "--last", "1", "--json", "--config", file)
	var list struct {
		InForce, Pending []standing
		Latest           []listed
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != cli.Done || len(list.Latest) != 1 || list.Latest[0].Action != said.ID || len(list.InForce) == 0 {
		t.Errorf("status %d, %v\n%s", status, err, out)
	}
	clitest.Lines(t, program(), clitest.Table{
		{"act cancel fleet --by a --reason b --config " + file, cli.Wrong, "cancel is for batch:ID or payout:TRADENO"},
		{"act ask merchant:eg-main --by a --reason b --config " + file, cli.Wrong, "ask is for batch:ID or payout:TRADENO"},
		{"act ask 'payout:a b' --by a --reason b --config " + file, cli.Wrong, "that is no tradeNo"},
		{"act resolve 'a b' --as paid --by a --reason b --config " + file, cli.Wrong, "that is no tradeNo"},
		{"act resolve t-1 --as held --by a --reason b --config " + file, cli.Wrong, "--as"},
		{"act resolve t-1 --by a --reason b --config " + file, cli.Wrong, "--as"},
		{"act ask payout:t-1 --deadline 48h --by a --reason b --config " + file, cli.Wrong, "--deadline must be between"},
		{"act list --last -- -1 --config " + file, cli.Wrong, "last"},
	})
}

// The commands that the runbooks name exist, with their flags.
func TestTheRunbooksCommandsExist(t *testing.T) {
	seen := 0
	for _, file := range []string{"../../docs/operations.md", "../../README.md"} {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("disburser (act [a-z]+|show)\\b([^`\\n]*)").FindAllStringSubmatch(string(page), -1) {
			seen++
			status, help, errs := clitest.Run(t, program(), append(strings.Fields(m[1]), "--help")...)
			if status != cli.Done || !strings.Contains(help, "Usage: disburser "+m[1]) {
				t.Errorf("%s names disburser %s: %s", file, m[1], errs)
			}
			for _, flag := range regexp.MustCompile(`--[a-z]+`).FindAllString(m[2], -1) {
				if !strings.Contains(help, flag+"=") && !strings.Contains(help, flag+" ") {
					t.Errorf("%s: disburser %s has no %s", file, m[1], flag)
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d commands were found", seen)
	}
}
