package service_test

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// event is one of a stream.
type event struct{ name, id, data string }

// listen opens a stream. Its events come until the test ends, or the stream.
func (o *office) listen(lastID string) <-chan event {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.URL+"/api/v1/events", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+o.Token)
	request.Header.Set("Last-Event-ID", lastID)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		o.t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	events := make(chan event, 10_000)
	go func() {
		defer close(events)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for e := (event{}); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					events <- e
				}
				e = event{}
			}
		}
	}()
	return events
}

// next is the next event of a name, of which others may stand before it.
func next(t *testing.T, events <-chan event, name string, is func(event) bool) event {
	t.Helper()
	for limit := time.After(time.Minute); ; {
		select {
		case e, open := <-events:
			if !open {
				t.Fatalf("the stream ends without %s", name)
			}
			if e.name == name && (is == nil || is(e)) {
				return e
			}
		case <-limit:
			t.Fatalf("no %s comes", name)
		}
	}
}

func read[T any](t *testing.T, e event) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.data), &value); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return value
}

// hold announces that a payout is held.
func hold(t *testing.T, k *kafkatest.Kafka, topic string, number int, state payout.State) string {
	t.Helper()
	c := bookstest.Resolve(bookstest.Command(number, 100))
	p := payout.Payout{Command: c, State: state, ReceivedAt: bookstest.Start, HeldAt: bookstest.Start, SettledAt: bookstest.Start, Reason: "the provider\nhas \x1b[31mno record of it", Sends: 1, Fingerprint: c.Fingerprint()}
	if state == payout.StatePaid {
		p.PaidAmount = c.Amount.String()
	}
	e, _ := message.EventOf(p)
	m, err := message.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, topic, 0, kafka.Record{Time: bookstest.Start, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers)})
	return c.TradeNo
}

func said(t *testing.T, k *kafkatest.Kafka, topic string, a acts.Action) {
	t.Helper()
	a.By, a.Reason, a.Time = "alice", "why\nnot", bookstest.Start
	r, err := acts.Write(a, secrets.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, topic, 0, kafkatest.Record(string(r.Key), string(r.Value), headersOf(r)...))
}

// Every instance tells everything, whichever has read it: here two share their books.
func TestEventsOfEveryInstance(t *testing.T) { everyInstance(t, nil) }

func everyInstance(t *testing.T, database *secrets.Secret) {
	k, c, token := servicetest.World(t, bookstest.NewRun(rand.New(rand.NewPCG(7, 7)), 30, partitions, false))
	if database != nil {
		c.Backoffice.Database = *database
	}
	one := start(t, k, c, token)
	one.caughtUp()
	two := start(t, k, c, token)
	two.caughtUp()
	streams := map[string]<-chan event{"one": one.listen(""), "two": two.listen("")}
	for name, events := range streams {
		if o := read[api.Overview](t, next(t, events, api.EventOverview, nil)); o.States["paid"] != 30 || len(o.Books) == 0 {
			t.Errorf("%s: %+v", name, o)
		}
	}
	topics := c.Kafka.Topics
	tradeNo := hold(t, k, topics.Results, 77, payout.StateHeld)
	said(t, k, topics.Actions, acts.Action{ID: "A1", Kind: acts.Ask, Scope: acts.Scope{Kind: acts.Payout, Name: tradeNo}, Lasts: time.Hour})
	for name, events := range streams {
		p := read[api.Payout](t, next(t, events, api.EventHeld, nil))
		if p.TradeNo != tradeNo || p.State != "held" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	out, _ := acts.Ended{Of: "A1", Result: acts.Refused, TradeNo: tradeNo, Detail: "as it is", Time: bookstest.Start}.Record(secrets.Secret{})
	k.Write(t, topics.Actions, 0, kafkatest.Record(string(out.Key), string(out.Value), headersOf(out)...))
	for name := range streams {
		streams[name] = map[string]*office{"one": one, "two": two}[name].listen("0-0")
	}
	for name, events := range streams {
		a := read[api.Action](t, next(t, events, api.EventAction, func(e event) bool { return strings.Contains(e.data, "refused") }))
		if a.ID != "A1" || a.By != "alice" || len(a.Outcomes) != 1 || a.Outcomes[0].Detail != "as it is" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Who comes again with the last id is told what happened meanwhile, by another instance too; and nothing that is over.
func TestEventsGoOnWhereTheyEnded(t *testing.T) {
	k, c, token := servicetest.World(t, nil)
	topics := c.Kafka.Topics
	o := start(t, k, c, token)
	o.caughtUp()
	hold(t, k, topics.Results, 1, payout.StateHeld)
	o.caughtUp()
	before := next(t, o.listen(""), api.EventOverview, nil)
	o.Stop()
	hold(t, k, topics.Results, 2, payout.StateHeld)
	hold(t, k, topics.Results, 3, payout.StateHeld)
	hold(t, k, topics.Results, 3, payout.StatePaid)
	said(t, k, topics.Actions, acts.Action{ID: "A1", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Fleet}})
	o = start(t, k, c, token)
	o.caughtUp()
	events, names := o.listen(before.id), []string{}
	for {
		e := <-events
		if names = append(names, e.name); e.name == api.EventOverview {
			break
		}
		if e.name == api.EventHeld && read[api.Payout](t, e).TradeNo != bookstest.Command(2, 100).TradeNo || e.name == api.EventAction && read[api.Action](t, e).Status != "in force" {
			t.Errorf("%+v", e)
		}
		if e.id <= before.id {
			t.Errorf("%s comes after %s", e.id, before.id)
		}
	}
	if strings.Join(names, " ") != "action held overview" {
		t.Errorf("since %+v: %v", before, names)
	}
	for _, id := range []string{"x", "1", "1-", "-1-1", "999-0", "0-999", "99999999999999999999-0"} {
		if m := read[api.Missed](t, next(t, o.listen(id), api.EventMissed, nil)); !strings.Contains(m.Detail, "GET /actions") {
			t.Errorf("%s: %+v", id, m)
		}
	}
}

// A stop ends streams, however many there are.
func TestAStopEndsStreams(t *testing.T) {
	k, c, token := servicetest.World(t, nil)
	o := start(t, k, c, token)
	o.caughtUp()
	var all []<-chan event
	for range 20 {
		all = append(all, o.listen(""))
	}
	next(t, all[len(all)-1], api.EventOverview, nil)
	o.Stop()
	for _, events := range all {
		for range events {
		}
	}
	if response, err := http.Get(o.URL + "/api/v1/events"); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		t.Error("it still answers")
	}
}
