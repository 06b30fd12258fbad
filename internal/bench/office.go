package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/internal/harness"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

const (
	officeToken = "a token for the bench"
	booksPage   = 3000 // payouts that are published at once

	// steadyEvery is how often some are published in normal running.
	steadyEvery = 50 * time.Millisecond
)

// office is a back office, and topics that are written as instances of the service write them.
type office struct {
	*stage
	id, database string
	payouts      payouts
	process      *harness.Process
	client       api.Client
	published    int                      // by whoever publishes: fill, then steadily
	announced    atomic.Pointer[lastPaid] // the last result that was acknowledged
}

type lastPaid struct {
	tradeNo string
	at      time.Time
}

func (o *office) topic(name string) string { return o.id + "." + name }

var officeTopics = map[string]int{"commands": partitions, "results": 3, "decisions": 3, "dead-letter": 1, "actions": 1, "batches": 1}

// fill makes the topics, and writes payouts that have ended.
func (o *office) fill(ctx context.Context, n int) error {
	o.payouts = payouts{prefix: "B"}
	topics := map[string]int{}
	for name, count := range officeTopics {
		topics[o.topic(name)] = count
	}
	if err := harness.CreateTopics(ctx, o.broker(), topics); err != nil {
		return err
	}
	for o.published < n {
		if err := o.publishSome(ctx, min(booksPage, n-o.published), n); err != nil {
			return err
		}
		o.progress.say("%d of %d payouts are in the topics", o.published, n)
	}
	return nil
}

func (o *office) broker() *kafka.Client { return o.stage.client }

// publishSome writes commands, decisions and results of so many payouts, in this order. Batches have 10,000 each.
func (o *office) publishSome(ctx context.Context, n, of int) error {
	records := map[string][][]kafka.Record{}
	for name, count := range officeTopics {
		records[name] = make([][]kafka.Record, count)
	}
	add := func(name string, number int, r kafka.Record) {
		records[name][number] = append(records[name][number], r)
	}
	decided := map[int][]payout.Payout{}
	const inBatch = 10_000
	for i := o.published; i < o.published+n; i++ {
		p := o.payouts
		p.batch = fmt.Sprintf("bench-%d", i/inBatch)
		value := p.value(i)
		add("commands", i%partitions, kafka.Record{Key: kafka.NewBytes([]byte(p.tradeNo(i))), Value: kafka.NewBytes(value)})
		one, err := ended(value, i, min(inBatch, max(of-i/inBatch*inBatch, 1)))
		if err != nil {
			return err
		}
		decided[i%3] = append(decided[i%3], one)
		e, _ := message.EventOf(one)
		m, err := message.EncodeEvent(e)
		if err != nil {
			return err
		}
		add("results", i%3, kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers)})
	}
	for number, all := range decided {
		value, err := message.EncodeDecision(decision(all))
		if err != nil {
			return err
		}
		add("decisions", number, kafka.Record{Value: kafka.NewBytes(value)})
	}
	for _, name := range []string{"commands", "decisions", "results"} {
		if err := o.write(ctx, o.topic(name), records[name]); err != nil {
			return fmt.Errorf("publish %s: %w", name, err)
		}
	}
	o.published += n
	o.announced.Store(&lastPaid{o.payouts.tradeNo(o.published - 1), time.Now()})
	return nil
}

// ended is what has become of a command: of 500 one is held, the others are paid.
func ended(value []byte, i, size int) (payout.Payout, error) {
	orders, err := message.Decode(value)
	if err != nil {
		return payout.Payout{}, err
	}
	c, now := orders[0].Command, time.Now()
	c.Currency, c.CurrencyFrom, c.BatchSize = "EGP", payout.FromCountry, size
	p := payout.Payout{
		Command: c, Country: "egypt", State: payout.StatePaid, Fingerprint: c.Fingerprint(), ReceivedAt: now, FirstSentAt: now, SettledAt: now, Sends: 1, Asks: 2,
		PaidAmount: c.Amount.String(), Status: "0000", StatusText: "SUCCESS", PlatformTradeNo: fmt.Sprintf("vuu9apjq%08d", i),
	}
	if i%500 == 499 {
		p.State, p.HeldAt, p.Reason = payout.StateHeld, now, "the provider has no record of it"
	}
	return p, nil
}

func decision(all []payout.Payout) message.Decision {
	d := message.Decision{Kind: message.KindSend, Epoch: epochs.Epoch{ID: "bench"}, Time: time.Now(), Merchant: "eg-main"}
	for _, p := range all {
		d.TradeNos, d.Fingerprints = append(d.TradeNos, p.TradeNo), append(d.Fingerprints, p.Fingerprint)
	}
	return d
}

// write writes records into the partitions of a topic, side by side.
func (o *office) write(ctx context.Context, topic string, all [][]kafka.Record) error {
	var group sync.WaitGroup
	failed := make([]error, len(all))
	for number, records := range all {
		if len(records) == 0 {
			continue
		}
		group.Go(func() {
			res, err := o.broker().Produce(ctx, &kafka.ProduceRequest{Topic: topic, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)})
			if err == nil {
				err = res.Error
			}
			failed[number] = err
		})
	}
	group.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// steadily publishes booksRate payouts a second until ctx ends. What a slow machine misses is made up for.
func (o *office) steadily(ctx context.Context) error {
	began, from := time.Now(), o.published
	for harness.Pause(ctx, steadyEvery) {
		due := from + int(time.Since(began).Seconds()*booksRate) - o.published
		if due <= 0 {
			continue
		}
		if err := o.publishSome(context.WithoutCancel(ctx), min(due, booksPage), o.published+due); err != nil {
			return err
		}
	}
	return nil
}

// start starts the program.
func (o *office) start() error {
	port, err := harness.FreePort()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(officeToken))
	text := fmt.Sprintf(`
kafka:
  brokers: [%q]
  topics: {commands: %s, results: %s, decisions: %s, dead_letter: %s, actions: %s, batches: %s}
backoffice:
  listen: "127.0.0.1:%d"
  database: %q
  payee_key: "a key of payees for the bench, not for people"
  users: [{name: bench, token_sha256: %q, roles: [viewer]}]
merchants: {eg-main: {country: egypt}}
`, o.Kafka, o.topic("commands"), o.topic("results"), o.topic("decisions"), o.topic("dead-letter"), o.topic("actions"), o.topic("batches"), port, o.database, hex.EncodeToString(sum[:]))
	file := filepath.Join(o.dir, o.id+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	o.client = api.Client{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Token: officeToken}
	o.process, err = harness.Start("backoffice", filepath.Join(o.dir, o.id+".log"), filepath.Join(o.dir, "backoffice"), "run", "--config", file)
	return err
}

// caughtUp waits until the books know so many payouts, and all that was said of them.
func (o *office) caughtUp(ctx context.Context, n int) error {
	known := 0
	err := harness.Until(ctx, 20*time.Minute, "the books know everything", func() bool {
		v, err := api.Get[api.Overview](ctx, o.client, "/overview", nil)
		if err != nil {
			return !o.process.Running()
		}
		now := v.States["paid"] + v.States["held"]
		if now != known {
			known = now
			o.progress.say("%d of %d payouts have ended in the books", known, n)
		}
		behind := int64(0)
		for _, l := range v.Books {
			behind += max(l.Lag, -l.Lag)
		}
		if harness.Pause(ctx, 100*time.Millisecond); known == n && behind == 0 {
			return true
		}
		return !o.process.Running()
	})
	if err != nil || !o.process.Running() {
		return fmt.Errorf("the books know %d of %d payouts: %w\n%s", known, n, err, o.process.Tail())
	}
	return nil
}

// metrics scrapes the back office; nothing where it doesn't answer.
func (o *office) metrics(ctx context.Context) []byte {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.client.URL+"/metrics", nil)
	if err != nil {
		return nil
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return body
}

// close ends the program and deletes the topics.
func (o *office) close() {
	if o.process != nil {
		o.process.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var topics []string
	for name := range officeTopics {
		topics = append(topics, o.topic(name))
	}
	_, _ = o.broker().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: topics})
}
