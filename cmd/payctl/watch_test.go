package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/cli"
	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// gate is a proxy before a back office that can be shut: then it cuts what runs, and answers 502.
type gate struct {
	*httptest.Server
	shut atomic.Bool
}

func newGate(t *testing.T, office string) *gate {
	t.Helper()
	target, err := url.Parse(office)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1, ErrorLog: nil}
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.shut.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { g.CloseClientConnections(); g.Close() })
	return g
}

// output is what a command that runs has printed by now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// has waits until it has a text.
func (o *output) has(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(o.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it lacks %q:\n%s", text, o.String())
		}
	}
}

// happens writes a command of a payout and, where it has a state, its result.
func happens(t *testing.T, k *kafkatest.Kafka, topics config.Topics, i, size int, state payout.State) payout.Command {
	t.Helper()
	c := bookstest.Resolve(bookstest.Command(i, size))
	value, err := message.EncodeUnchecked(bookstest.Command(i, size))
	if err != nil {
		t.Fatal(err)
	}
	if state == 0 {
		k.Write(t, topics.Commands, 0, kafka.Record{Time: bookstest.Start, Key: kafka.NewBytes([]byte(c.TradeNo)), Value: kafka.NewBytes(value)})
		return c
	}
	p := payout.Payout{Command: c, State: state, ReceivedAt: bookstest.Start, HeldAt: bookstest.Start, SettledAt: bookstest.Start, Reason: "no\nrecord \x1b[2Jof it", Sends: 1, Fingerprint: c.Fingerprint()}
	if state == payout.StatePaid {
		p.PaidAmount = c.Amount.String()
	}
	e, _ := message.EventOf(p)
	m, err := message.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, topics.Results, 0, kafka.Record{Time: bookstest.Start, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers)})
	return c
}

func saidOf(t *testing.T, k *kafkatest.Kafka, topic string, a acts.Action) {
	t.Helper()
	a.By, a.Reason, a.Time = "alice", "wrong\nfile\x1b[2J", bookstest.Start
	r, err := acts.Write(a, secrets.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	var headers []kafka.Header
	for _, h := range r.Headers {
		headers = append(headers, kafka.Header{Key: h.Name, Value: h.Value})
	}
	k.Write(t, topic, 0, kafkatest.Record(string(r.Key), string(r.Value), headers...))
}

// A batch is watched from its first payout to its end, with an outage between.
func TestWatchABatch(t *testing.T) {
	const payouts = 9 // three batches of three
	k, c, token := servicetest.World(t, nil)
	o := servicetest.Start(t, k, c, token)
	g := newGate(t, o.URL)
	t.Setenv("PAYCTL_URL", g.URL)
	t.Setenv("PAYCTL_TOKEN", token)
	topics := c.Kafka.Topics
	if status, out := run(t, "watch", "nobody's"); status != cli.Failed || !strings.Contains(out, "the books know no batch of this name") {
		t.Error(status, out)
	}
	first := happens(t, k, topics, 0, payouts, 0)
	seen(t, o, first.BatchID, 1, 0)
	plain, lines := &output{}, &output{}
	statuses := make(chan int, 2)
	go func() {
		statuses <- program().Run(t.Context(), []string{"watch", first.BatchID}, cli.Streams{Out: plain, Err: plain})
	}()
	go func() {
		statuses <- program().Run(t.Context(), []string{"watch", first.BatchID, "--json"}, cli.Streams{Out: lines, Err: lines})
	}()
	plain.has(t, "received 1")
	lines.has(t, `{"event":"batch","batch":{"batchId":"`+first.BatchID)
	for i := 3; i < payouts; i += 3 {
		happens(t, k, topics, i, payouts, 0)
	}
	happens(t, k, topics, 1, payouts, 0) // of another batch
	happens(t, k, topics, 1, payouts, payout.StateHeld)
	seen(t, o, first.BatchID, 3, 0)
	happens(t, k, topics, 0, payouts, payout.StateHeld)
	saidOf(t, k, topics.Actions, acts.Action{ID: "A1", Kind: acts.Ask, Scope: acts.Scope{Kind: acts.Payout, Name: first.TradeNo}, Lasts: time.Hour})
	saidOf(t, k, topics.Actions, acts.Action{ID: "A2", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Batch, Name: "another"}})
	plain.has(t, "\theld\t"+first.TradeNo)
	plain.has(t, "\taction\task payout:"+first.TradeNo+" by alice: wrong file")
	lines.has(t, `{"event":"held","payout":{"tradeNo":"`+first.TradeNo)
	g.shut.Store(true)
	g.CloseClientConnections()
	plain.has(t, "\tlost\tthe back office doesn't answer")
	saidOf(t, k, topics.Actions, acts.Action{ID: "A3", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Fleet}})
	g.shut.Store(false)
	plain.has(t, "\tback\tthe back office answers again")
	plain.has(t, "\taction\tpause fleet by alice")
	for i := 0; i < payouts; i += 3 {
		happens(t, k, topics, i, payouts, map[bool]payout.State{true: payout.StateFailed, false: payout.StatePaid}[i == 0])
	}
	for range 2 {
		if status := <-statuses; status != cli.Failed {
			t.Errorf("status %d of a batch with a failed payout", status)
		}
	}
	for text := range strings.Lines(lines.String()) {
		var w watched
		if err := json.Unmarshal([]byte(text), &w); err != nil || w.Event == "" || w.Payout != nil && w.Payout.BatchID != first.BatchID || w.Action != nil && w.Action.ID == "A2" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if out := plain.String(); strings.Contains(out, "\x1b") || strings.Contains(out, "another") || !strings.Contains(out, first.BatchID+": closed") {
		t.Errorf("%q", out)
	}
}

// A batch that is closed and paid ends at once, and the whole is watched until somebody stops it.
func TestWatchWhatIsOver(t *testing.T) {
	k, c, token := servicetest.World(t, bookstest.NewRun(rand.New(rand.NewPCG(3, 3)), 30, servicetest.Partitions, false))
	o := servicetest.Start(t, k, c, token)
	t.Setenv("PAYCTL_URL", o.URL)
	t.Setenv("PAYCTL_TOKEN", token)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if b, err := api.Get[api.Batch](t.Context(), api.Client{URL: o.URL, Token: token}, "/batches/batch-1", nil); err == nil && b.Closed {
			break
		}
	}
	if status, out := run(t, "watch", "batch-1"); status != cli.Done || !strings.Contains(out, "paid 10") {
		t.Error(status, out)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, status := &output{}, make(chan int)
	go func() { status <- program().Run(ctx, []string{"watch"}, cli.Streams{Out: out, Err: out}) }()
	out.has(t, "paid 30")
	stop()
	if got := <-status; got != cli.Done {
		t.Errorf("status %d: %s", got, out)
	}
	o.Stop()
	if status, out := run(t, "watch"); status != cli.Failed || !strings.Contains(out, "the back office doesn't answer") {
		t.Error(status, out)
	}
}

// The picture stays where it is, and nothing from outside moves the cursor.
func TestThePicture(t *testing.T) {
	var out bytes.Buffer
	v := &watchView{s: cli.Streams{Out: &out}, terminal: true}
	b := api.Batch{}
	b.BatchID, b.Size, b.Seen = "b\x1b[2J1", 4, 4
	b.States = map[string]int{"paid": 1, "received": 3}
	b.Pauses = []api.Action{{Kind: acts.Pause, Scope: "fleet", By: "eve\r", Reason: strings.Repeat("x", 200)}}
	v.batch(b)
	if text := out.String(); !strings.HasPrefix(text, "b [2J1: paused\n[##########------------------------------] 1 of 4 ended\nreceived 3, paid 1\nstopped: pause fleet by eve : xxx") || strings.Count(text, "\n") != 4 {
		t.Errorf("%q", text)
	}
	out.Reset()
	v.held(api.Payout{TradeNo: "T1", Amount: "3", Currency: "EGP", Merchant: "m", Reason: "no\nrecord\x1b[5A"})
	text := out.String()
	if !strings.HasPrefix(text, "\x1b[4A\x1b[J") || strings.Count(text, "\x1b") != 2 || strings.Count(text, "\n") != 5 || !strings.Contains(text, " held T1, 3 EGP, m: no record [5A\nb [2J1") {
		t.Errorf("%q", text)
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(line)); n > widest+10 {
			t.Errorf("%d: %s", n, line)
		}
	}
}
