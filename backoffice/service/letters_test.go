package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/backoffice/api"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/kafkatest"
	"disburser/internal/partition"
	"disburser/internal/rules"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/secrets"
)

// walletOf is a payee's account. None of them may stand in an answer.
func walletOf(n int) string { return fmt.Sprintf("0112%07d", n) }

func commandOf(n int) string {
	return fmt.Sprintf(`{"tradeNo":"T-%d","merchant":"eg-main","amount":"300","batchId":"B","payee":{"walletId":"%s","customerName":"kevin"}}`, n, walletOf(n))
}

// desk is a back office with dead letters, and who may do what at it.
type desk struct {
	*office
	kafka     *kafkatest.Kafka
	config    config.Config
	merchants rules.Merchants
	tokens    map[string]string
}

// addLetter writes a dead letter, and answers its id. Its message stands at an offset of the commands that nobody else uses.
func (d *desk) addLetter(number int, l message.DeadLetter, headers ...message.Header) string {
	d.t.Helper()
	l.Topic, l.Reason, l.Headers = d.config.Kafka.Topics.Commands, "made by a test", headers
	if l.Time.IsZero() {
		l.Time = time.Now()
	}
	m := message.EncodeDeadLetter(l)
	offset := d.kafka.Write(d.t, d.config.Kafka.Topics.DeadLetter, number, kafka.Record{
		Time: l.Time, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers),
	})
	return fmt.Sprintf("%d-%d", number, offset)
}

func newDesk(t *testing.T) *desk { return newDeskOn(t, nil) }

// newDeskOn is newDesk with its books in a database, nil for one of its own.
func newDeskOn(t *testing.T, database *secrets.Secret) *desk {
	t.Helper()
	merchants, err := rules.Of(map[string]config.Merchant{"eg-main": {Country: "egypt"}})
	if err != nil {
		t.Fatal(err)
	}
	k, c, _ := servicetest.World(t, nil)
	if database != nil {
		c.Backoffice.Database = *database
	}
	d := &desk{kafka: k, merchants: merchants, tokens: people(&c)}
	d.config = c
	d.office = &office{servicetest.StartFor(t, k, c, d.tokens["olga"], merchants), t}
	return d
}

// malformed is a dead letter of a message at an offset.
func malformed(offset int64, value string) message.DeadLetter {
	return message.DeadLetter{Key: []byte("key"), Value: []byte(value), Code: message.Malformed, Index: -1, Source: payout.Source{Offset: 1000 + offset}}
}

// replay asks for a replay as somebody.
func (d *desk) replay(who string, w api.ReplayWord) (r api.Replay) {
	d.t.Helper()
	body, _ := json.Marshal(w)
	status, text := d.post("/dead-letters/replay", d.tokens[who], "application/json", body)
	if err := json.Unmarshal(text, &r); status != http.StatusOK || err != nil {
		d.t.Fatalf("%+v: %d %s", w, status, text)
	}
	d.masked(text)
	return r
}

// masked looks for payees in an answer.
func (d *desk) masked(text []byte) {
	d.t.Helper()
	for n := range 10 {
		if bytes.Contains(text, []byte(walletOf(n))) || bytes.Contains(text, []byte("kevin")) {
			d.t.Errorf("a payee is shown: %s", text)
		}
	}
}

// commands are those that stand in Kafka.
func (d *desk) commands() (all []partition.Record) {
	d.t.Helper()
	for number := range partitions {
		all = append(all, d.kafka.Read(d.t, d.config.Kafka.Topics.Commands, number)...)
	}
	return all
}

func TestDeadLettersAreReplayed(t *testing.T) {
	d := newDesk(t)
	rubbish := d.addLetter(0, malformed(0, `{"tradeNo":"T-0","payee":{"walletId":"`+walletOf(0)))
	readable := d.addLetter(0, malformed(1, commandOf(1)), message.Header{Key: "traceparent", Value: []byte("00-x")}, message.Header{Key: message.SentByHeader, Value: []byte("alice")})
	conflict := malformed(2, commandOf(2))
	conflict.Code = message.Conflict
	d.addLetter(1, conflict)
	cut := malformed(3, `{"payouts":[`+strings.Repeat(commandOf(3)+",", 1+message.CutTo[0]/len(commandOf(3)))[:message.CutTo[0]-12])
	cut.Code = message.TooLarge
	d.addLetter(1, cut)
	element := malformed(4, commandOf(4))
	element.Index = 7
	d.addLetter(1, element)
	d.addLetter(1, malformed(5, commandOf(5)))
	d.kafka.Write(t, d.config.Kafka.Topics.Commands, 0, kafkatest.Record("T-5", commandOf(5)))
	d.caughtUp()

	list := get[api.Letters](d.office, "/dead-letters?limit=4")
	rest := get[api.Letters](d.office, "/dead-letters?limit=4&cursor="+list.Next)
	if len(list.Letters) != 4 || len(rest.Letters) != 2 || rest.Next != "" || list.Codes["malformed"] != 4 || list.Codes["conflict"] != 1 || list.Codes["too_large"] != 1 {
		t.Errorf("%+v\n%+v", list, rest)
	}
	if one := get[api.Letters](d.office, "/dead-letters?code=conflict&batch=B"); len(one.Letters) != 1 || one.Letters[0].TradeNo != "T-2" || one.Letters[0].Payee["walletId"] != "***0002" || one.Codes["malformed"] != 0 {
		t.Errorf("%+v", one)
	}
	plan := d.replay("olga", api.ReplayWord{DryRun: true})
	if n := plan.Codes["malformed"]; n.Found != 4 || n.Replay != 2 || n.LeftOut != 2 || plan.Replayed != 0 || !plan.DryRun || plan.Codes["conflict"].LeftOut != 1 || plan.Codes["too_large"].LeftOut != 1 {
		t.Errorf("%+v", plan)
	}
	if len(d.commands()) != 1 {
		t.Error("a plan publishes")
	}
	if done := d.replay("olga", api.ReplayWord{}); done.Replayed != 2 || done.Codes["malformed"] != plan.Codes["malformed"] {
		t.Errorf("%+v", done)
	}
	found := map[string]partition.Record{}
	for _, r := range d.commands() {
		found[string(r.Value)] = r
	}
	r := found[commandOf(1)]
	if len(found) != 3 || string(r.Key) != "key" || kafkatest.Header(t, r.Headers, "sent-by") != "olga" || kafkatest.Header(t, r.Headers, "traceparent") != "00-x" ||
		kafkatest.Header(t, r.Headers, "replays") != "payout.commands/0/1001" || kafkatest.Header(t, found[commandOf(4)].Headers, "replays") != "payout.commands/0/1004/7" {
		t.Errorf("%+v", found)
	}
	if again := d.replay("olga", api.ReplayWord{}); again.Replayed != 0 || again.Codes["malformed"].Replayed != 2 {
		t.Errorf("%+v", again)
	}
	d.caughtUp()
	shown := get[api.LetterDetail](d.office, "/dead-letters/"+readable)
	if shown.Verdict != "replayed" || !strings.HasPrefix(shown.Why, "replayed by olga at ") || shown.State != "received" || len(shown.Replays) != 1 || shown.Bytes != len(commandOf(1)) {
		t.Errorf("%+v", shown)
	}
	if done := d.replay("both", api.ReplayWord{IDs: []string{readable, readable}, Again: true}); done.Replayed != 1 {
		t.Errorf("%+v", done)
	}
	d.becomesADeadLetterAgain(rubbish)
}

// becomesADeadLetterAgain replays what nobody can read, by its name. The service answers with a dead letter again.
func (d *desk) becomesADeadLetterAgain(rubbish string) {
	d.t.Helper()
	if done := d.replay("olga", api.ReplayWord{IDs: []string{rubbish}}); done.Replayed != 0 || !strings.HasPrefix(done.Letters[0].Why, "it would be a dead letter again") {
		d.t.Errorf("%+v", done)
	}
	if done := d.replay("olga", api.ReplayWord{IDs: []string{rubbish}, AsItIs: true}); done.Replayed != 1 {
		d.t.Errorf("%+v", done)
	}
	d.caughtUp()
	replays := get[api.LetterDetail](d.office, "/dead-letters/"+rubbish).Replays
	if len(replays) != 1 {
		d.t.Fatalf("%+v", replays)
	}
	again := malformed(0, `{"tradeNo":"T-0"`)
	again.Source = payout.Source{Partition: replays[0].Partition, Offset: replays[0].Offset}
	id := d.addLetter(1, again)
	d.caughtUp()
	if shown := get[api.LetterDetail](d.office, "/dead-letters/"+rubbish); shown.Replays[0].DeadLetter != id {
		d.t.Errorf("%+v", shown)
	}
}

// However many ask for the same at once, each dead letter is published once.
func TestReplaysAtOnce(t *testing.T) {
	const letters = 30
	d := newDesk(t)
	for n := range letters {
		d.addLetter(n%partitions, malformed(int64(n), commandOf(n)))
	}
	d.caughtUp()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			body := []byte(`{}`)
			if status, text := d.post("/dead-letters/replay", d.tokens["olga"], "application/json", body); status != http.StatusOK {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	group.Wait()
	seen := map[string]int{}
	for _, r := range d.commands() {
		seen[string(r.Value)]++
	}
	for value, n := range seen {
		if n != 1 {
			t.Errorf("%d times: %s", n, value)
		}
	}
	if len(seen) != letters {
		t.Errorf("%d of %d", len(seen), letters)
	}
}

// A replay that Kafka takes in part goes on when it is asked for again. What two messages order is ordered once.
func TestAReplayThatFailsHalfWayGoesOn(t *testing.T) {
	const letters = 20
	d := newDesk(t)
	for n := range letters {
		l := malformed(int64(n), commandOf(n))
		l.Key = fmt.Appendf(nil, "key-%d", n)
		for range 1 + n%2 { // some are written twice, after an interruption
			d.addLetter(n%partitions, l)
		}
	}
	d.addLetter(1, malformed(letters, commandOf(1)))
	d.caughtUp()
	if all := get[api.Letters](d.office, "/dead-letters?limit=1000"); len(all.Letters) != letters+1 {
		t.Errorf("%d dead letters: %+v", len(all.Letters), all)
	}
	fault := d.kafka.Fail(kmsg.Produce, d.config.Kafka.Topics.Commands, kerr.MessageTooLarge, 1000, 1)
	status, text := d.post("/dead-letters/replay", d.tokens["olga"], "application/json", []byte(`{}`))
	if status != http.StatusServiceUnavailable || !strings.Contains(string(text), "commands are acknowledged, and then it failed") || !strings.Contains(string(text), "as large as the dead letter") {
		t.Errorf("%d %s", status, text)
	}
	half := len(d.commands())
	fault.Remove()
	done := d.replay("olga", api.ReplayWord{})
	if n := done.Codes["malformed"]; half == 0 || half == letters || done.Replayed+half != letters || n.Replayed != half || n.LeftOut != 1 {
		t.Errorf("%d at first, then %+v", half, done.Codes)
	}
	seen := map[string]bool{}
	for _, r := range d.commands() {
		if seen[string(r.Value)] {
			t.Errorf("twice: %s", r.Value)
		}
		seen[string(r.Value)] = true
	}
	if len(seen) != letters {
		t.Errorf("%d of %d", len(seen), letters)
	}
}

// What the books haven't read yet may be the same payout, ordered otherwise.
func TestAReplayWaitsForTheBooks(t *testing.T) {
	d := newDesk(t)
	d.addLetter(0, malformed(0, commandOf(0)))
	d.caughtUp()
	fault := d.kafka.Fail(kmsg.Fetch, d.config.Kafka.Topics.Commands, kerr.UnknownServerError, -1)
	d.kafka.Write(t, d.config.Kafka.Topics.Commands, 1, kafkatest.Record("T-0", commandOf(0)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	client := api.Client{URL: d.URL, Token: d.tokens["olga"]}
	if done, err := api.Post[api.Replay](ctx, client, "/dead-letters/replay", nil, api.ReplayWord{}); err == nil {
		t.Errorf("replayed: %+v", done)
	}
	fault.Remove()
	if done := d.replay("olga", api.ReplayWord{}); done.Replayed != 0 || !strings.Contains(done.Letters[0].Why, "T-0 was ordered otherwise") {
		t.Errorf("%+v", done)
	}
	if n := len(d.commands()); n != 1 {
		t.Errorf("%d commands", n)
	}
}

// However often a dead letter is replayed, its age counts from the first one.
func TestAReplayTellsTheFirstTime(t *testing.T) {
	d := newDesk(t)
	first := time.Now().Add(-48 * time.Hour).UTC()
	before := message.Replay{Topic: "payout.commands", Source: payout.Source{Offset: 7}, Index: -1, By: "alice", First: first}
	d.addLetter(0, malformed(0, commandOf(0)), before.Replayed(nil)...)
	d.caughtUp()
	if done := d.replay("olga", api.ReplayWord{}); done.Replayed != 1 {
		t.Fatalf("%+v", done)
	}
	again, is := message.DecodeReplay(message.HeadersOf(d.commands()[0].Headers))
	if !is || !again.First.Equal(first) || again.By != "olga" || again.Source.Offset != 1000 {
		t.Errorf("%+v", again)
	}
}

func TestWhatCantBeReplayed(t *testing.T) {
	d := newDesk(t)
	id := d.addLetter(0, malformed(0, commandOf(0)))
	d.caughtUp()
	for _, test := range []struct {
		who, body string
		status    int
		says      string
	}{
		{"", `{}`, 401, "give your token"},
		{"victor", `{"dry_run":true}`, 403, "you need the role operator"},
		{"anna", `{}`, 403, "you need the role operator"},
		{"olga", `{"ids":["0-99"]}`, 404, "the books know no dead letter 0-99"},
		{"olga", `{"ids":["0-1/2"]}`, 422, "its partition and its offset"},
		{"olga", `{"ids":["` + id + `"],"code":"malformed"}`, 422, "not both"},
		{"olga", `{"as_it_is":true}`, 422, "named by their ids"},
		{"olga", `{"cursor":"x"}`, 422, "cursor is none"},
		{"olga", `{"everything":true}`, 422, "everything"},
		{"olga", `{"ids":[` + strings.TrimSuffix(strings.Repeat(`"0-0",`, api.MostReplayed+1), ",") + `]}`, 422, "500"},
	} {
		status, text := d.post("/dead-letters/replay", d.tokens[test.who], "application/json", []byte(test.body))
		if status != test.status || !strings.Contains(string(text), test.says) {
			t.Errorf("%s: %d %s, want %d %s", test.body, status, text, test.status, test.says)
		}
	}
	for path, want := range map[string]int{"/dead-letters/x": 422, "/dead-letters/00-0": 422, "/dead-letters/0--1": 422, "/dead-letters/7-0": 404, "/dead-letters/" + id: 200, "/dead-letters?code=%27": 200} {
		if status, body := d.do("/api/v1"+path, d.Token); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if n := len(d.commands()); n > 0 {
		t.Errorf("%d commands are published", n)
	}
}
