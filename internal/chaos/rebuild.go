package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

const (
	finals = 100_000
	open   = 10_000
	asked  = 500 // finals that are ordered once more, and must be recognised

	// rebuilt is how soon sending goes on after a wipe of that size.
	rebuilt = 60 * time.Second
)

// together is how many payouts one decision of the past holds: what a lease takes.
const together = 128

// history100k writes a past into the topics as it leaves them behind: behind a fence in each
// partition the decisions to send, and the results. They failed, so that the provider's
// books have nothing of them, and nothing of them may ever reach the provider.
func history100k(ctx context.Context, r *run) error {
	r.extra = trial.Expected{Commands: map[string]payout.Command{}}
	n, err := partition.Count(ctx, r.broker.client, r.topics.Decisions)
	if err != nil {
		return err
	}
	decided := make([][]kafka.Record, n) // by partition
	add := func(p int, d message.Decision) {
		d.Instance, d.Time, d.Epoch = "past", time.Now().UTC(), epochs.Epoch{Number: 1, ID: "past"}
		value, _ := message.EncodeDecision(d) // its own types: never fails
		decided[p] = append(decided[p], kafka.Record{Key: kafka.NewBytes([]byte("past")), Value: kafka.NewBytes(value)})
	}
	for p := range n {
		add(p, message.Decision{Kind: message.KindFence})
	}
	results := make([]kafka.Message, 0, finals)
	var batch message.Decision
	for i := range finals {
		c, err := past(r.id, i)
		if err != nil {
			return err
		}
		r.extra.Commands[c.TradeNo] = c
		results = append(results, announced(c))
		batch.TradeNos, batch.Fingerprints = append(batch.TradeNos, c.TradeNo), append(batch.Fingerprints, c.Fingerprint())
		if len(batch.TradeNos) == together || i == finals-1 {
			batch.Kind, batch.Merchant, batch.Lease = message.KindSend, c.Merchant, 4000
			add(i/together%n, batch)
			batch = message.Decision{}
		}
	}
	for p, records := range decided {
		if err := r.append(ctx, r.topics.Decisions, p, records); err != nil {
			return err
		}
	}
	return r.produce(ctx, r.topics.Results, results)
}

// append writes records into one partition, some at a time.
func (r *run) append(ctx context.Context, topic string, number int, records []kafka.Record) error {
	for some := range slices.Chunk(records, 50) {
		res, err := r.broker.client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(some...),
		})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pastLine(id string, i int) string {
	return fmt.Sprintf(`{"tradeNo": "%s-past-%06d", "merchant": "eg-main", "currency": "EGP", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`, id, i)
}

func past(id string, i int) (payout.Command, error) {
	orders, err := message.Decode([]byte(pastLine(id, i)))
	if err != nil {
		return payout.Command{}, err
	}
	return orders[0].Command, nil
}

// announced is the result event of a failed payout as an instance writes it.
func announced(c payout.Command) kafka.Message {
	m, _ := message.EncodeEvent(message.Event{ // its own types: never fails
		EventID: c.TradeNo, Type: message.EventFailed, TradeNo: c.TradeNo, Merchant: c.Merchant, Amount: c.Amount.String(),
		Currency: c.Currency, Country: "egypt", Reason: "of the past", Status: "0029", Sends: 1, Asks: 2,
		Fingerprint: c.Fingerprint(), Time: time.Now(),
	})
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)}
}

func (r *run) produce(ctx context.Context, topic string, messages []kafka.Message) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(r.broker.address), Topic: topic, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 2000, BatchTimeout: 5 * time.Millisecond, BatchBytes: 900_000,
	}
	defer w.Close() //nolint:errcheck // every message was acknowledged or is an error
	return w.WriteMessages(ctx, messages...)
}

// rebuilding has 10,000 payouts open, half of them scheduled and half at the provider,
// orders some of the past again, and wipes Redis.
func rebuilding(ctx context.Context, r *run) error {
	if err := trial.Publish(ctx, []string{r.broker.address}, nil, r.topics.Commands, r.openLines()); err != nil {
		return err
	}
	err := harness.Until(ctx, time.Minute, fmt.Sprintf("%d payouts are open, and a quarter of them is at the provider", open), func() bool {
		return r.open(ctx, "") >= open && r.open(ctx, "processing") >= open/4
	})
	if err != nil {
		return err
	}
	broken := time.Now()
	r.note("FLUSHALL", "with %d finals and %d open payouts, %d of them at the provider", finals, r.open(ctx, ""), r.open(ctx, "processing"))
	if err := r.redis.Client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	r.sendsAgain(broken, rebuilt)
	var again []string
	for i := range asked {
		again = append(again, pastLine(r.id, i*(finals/asked)))
	}
	if err := trial.Publish(ctx, []string{r.broker.address}, nil, r.topics.Commands, again); err != nil {
		return err
	}
	if err := harness.Until(ctx, 2*rebuilt, "all instances are ready", func() bool { return r.allReady(ctx) }); err != nil {
		return err
	}
	r.say("   all instances are ready again after %.1f s", time.Since(broken).Seconds())
	err = harness.Until(ctx, rebuilt, "the open payouts are known again", func() bool { return r.open(ctx, "") >= open/2 })
	r.say("   %d payouts are open again after %.1f s", r.open(ctx, ""), time.Since(broken).Seconds())
	return err
}

// openLines are bulks of a hundred payouts.
func (r *run) openLines() (lines []string) {
	later := time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	for i := 0; i < open; i += 100 {
		payouts := make([]map[string]any, 100)
		for k := range payouts {
			payouts[k] = map[string]any{
				"tradeNo": fmt.Sprintf("%s-open-%05d", r.id, i+k), "amount": "300",
				"payee": map[string]string{"customerName": "kevin", "walletId": "01123456789"},
			}
		}
		bulk := map[string]any{"merchant": "eg-main", "payouts": payouts}
		if i < open/2 {
			bulk["notBefore"] = later
		}
		line, _ := json.Marshal(bulk) // maps of text: never fails
		lines = append(lines, string(line))
	}
	return lines
}

var openSample = regexp.MustCompile(`(?m)^disburser_open_payouts\{([^}]*)\} (\S+)$`)

// open is how many payouts are open, in one state or in all of them, as the first
// instance tells.
func (r *run) open(ctx context.Context, state string) (total int) {
	_, text := r.slots[0].instance.get(ctx, "/metrics")
	for _, m := range openSample.FindAllSubmatch(text, -1) {
		if bytes.Contains(m[1], []byte(`state="`+state)) {
			n, _ := strconv.ParseFloat(string(m[2]), 64) // Prometheus writes numbers
			total += int(n)
		}
	}
	return total
}
