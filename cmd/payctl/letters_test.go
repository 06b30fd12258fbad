package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/cli"
	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
)

// lettersOf writes dead letters of single messages, and waits until the books have them.
func lettersOf(t *testing.T, k *kafkatest.Kafka, c config.Config, o *servicetest.Office, values map[string]message.Code) {
	t.Helper()
	n := int64(0)
	for value, code := range values {
		n++
		m := message.EncodeDeadLetter(message.DeadLetter{
			Key: []byte("key"), Value: []byte(value), Code: code, Reason: "made by a test", Index: -1, Topic: c.Kafka.Topics.Commands,
			Source: payout.Source{Offset: 1000 + n}, Time: time.Now(),
		})
		k.Write(t, c.Kafka.Topics.DeadLetter, 0, kafka.Record{Time: time.Now(), Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers)})
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		page, err := api.Get[api.Letters](t.Context(), api.Client{URL: o.URL, Token: o.Token}, "/dead-letters", nil)
		if err == nil && len(page.Letters) == len(values) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", page, err)
		}
	}
}

func letterCommand(n int) string {
	return fmt.Sprintf(`{"tradeNo":"D-%d","amount":"300","batchId":"B","payee":{"walletId":"0112000000%d","customerName":"kevin"}}`, n, n)
}

func TestDeadLettersAreListedShownAndReplayed(t *testing.T) {
	k, c, o := sender(t)
	lettersOf(t, k, c, o, map[string]message.Code{
		letterCommand(1): message.Malformed, letterCommand(2): message.Malformed, letterCommand(3): message.Conflict, `{"tradeNo":"D-4","payee":{"walletId":"01120000004`: message.Malformed,
	})
	check := func(status int, has []string, args ...string) string {
		t.Helper()
		got, out := run(t, args...)
		for _, text := range has {
			if got != status || !strings.Contains(out, text) {
				t.Errorf("%v: %d, and not %q:\n%s", args, got, text, out)
			}
		}
		if strings.Contains(out, "0112000000") || strings.Contains(out, "kevin") {
			t.Errorf("a payee is shown: %s", out)
		}
		return out
	}
	check(cli.Done, []string{"4 dead letters, 1 conflict, 3 malformed\n", "\tD-1\tB\tpayout.commands/0/"}, "dead-letters", "list")
	check(cli.Done, []string{"1 dead letter, 1 conflict\n"}, "dead-letters", "list", "--code", "conflict")
	out := check(cli.Done, []string{""}, "dead-letters", "list", "--json", "--last", "3")
	if strings.Count(out, "\n") != 3 {
		t.Errorf("%s", out)
	}
	out = check(cli.Done, []string{""}, "dead-letters", "list", "--json")
	ids := map[string]string{}
	for line := range strings.Lines(out) {
		var l api.Letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Error(err)
		}
		ids[l.TradeNo] = l.ID
	}
	plan := []string{
		"conflict: 1 found, 0 would be replayed, 0 were replayed before, 1 are left out\n", "malformed: 3 found, 2 would be replayed, 0 were replayed before, 1 are left out\n",
		ids["D-3"] + " left out: its tradeNo has another content", ids[""] + " left out: it would be a dead letter again",
	}
	pipe, err := os.Open(write(t, "empty", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	stdin = pipe
	defer func() { stdin = os.Stdin }()
	check(cli.Done, append(plan, "nothing was replayed: this is the plan"), "dead-letters", "replay")
	stdin = strings.NewReader("no\n")
	check(cli.Failed, append(plan, "Replay 2 dead letters? Type yes: nothing was done"), "dead-letters", "replay")
	if n := len(commandsIn(t, k, c)); n > 0 {
		t.Errorf("%d commands", n)
	}
	stdin = strings.NewReader("yes\n")
	check(cli.Done, append(plan, "2 dead letters replayed\n"), "dead-letters", "replay")
	seen(t, o, "B", 2, 0)
	check(cli.Done, []string{"2 were replayed before", "left alone: replayed by olga at", "there is nothing to replay"}, "dead-letters", "replay", "--yes")
	check(cli.Done, []string{"code\tmalformed\n", "payee.walletId\t***0001\n", "replayed\tby olga at", "a replay\twould leave it alone: replayed by olga", "payout\tD-1 received\n"}, "dead-letters", "show", ids["D-1"])
	check(cli.Failed, []string{ids["D-3"] + " left out", "there is nothing to replay"}, "dead-letters", "replay", ids["D-3"], "--yes")
	out = check(cli.Done, []string{"would be replayed, but it would be a dead letter again", `"replayed":1`}, "dead-letters", "replay", ids[""], "--yes", "--json")
	var done api.Replay
	if err := json.Unmarshal([]byte(out[:strings.Index(out, "\n")]), &done); err != nil || done.Replayed != 1 || done.DryRun || len(done.Letters) != 1 {
		t.Errorf("%v %s", err, out)
	}
	want := []string{letterCommand(1), letterCommand(2), `{"tradeNo":"D-4","payee":{"walletId":"01120000004`}
	if got := commandsIn(t, k, c); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// commandsIn are the commands that stand in Kafka, sorted.
func commandsIn(t *testing.T, k *kafkatest.Kafka, c config.Config) (all []string) {
	t.Helper()
	for number := range servicetest.Partitions {
		for _, r := range k.Read(t, c.Kafka.Topics.Commands, number) {
			all = append(all, string(r.Value))
		}
	}
	slices.Sort(all)
	return all
}

func TestWhatIsNoQuestionAboutDeadLetters(t *testing.T) {
	t.Setenv("PAYCTL_URL", "http://127.0.0.1:1")
	t.Setenv("PAYCTL_TOKEN", "t")
	for args, has := range map[string]string{
		"dead-letters":                             `expected one of "list", "show", "replay"`,
		"dead-letters list --last 0":               "--last must be 1 or more",
		"dead-letters list --since yesterday":      "--since",
		"dead-letters show":                        `expected "<id>"`,
		"dead-letters replay 1":                    "is no id of a dead letter",
		"dead-letters replay 0-1 --code malformed": "not both",
	} {
		if status, out := run(t, strings.Fields(args)...); status != cli.Wrong || !strings.Contains(out, has) {
			t.Errorf("%s: %d %s", args, status, out)
		}
	}
	if status, out := run(t, "dead-letters", "replay", "--yes"); status != cli.Failed || !strings.Contains(out, "the back office doesn't answer") {
		t.Errorf("%d %s", status, out)
	}
}
