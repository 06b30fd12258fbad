// Command floor is what the disburser is measured against: the same calls to Kafka, Redis
// and the provider, and none of the safety. It reads a command, marks its tradeNo with
// SET NX, sends, asks once and publishes the result. It forgets what it did when it dies,
// sends what it isn't sure of, and must never see real money. It keeps no limit, or with --rate
// one of this process alone, which it waits for without a thought of anything else.
//
// It ends on SIGTERM, exit status 0.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"golang.org/x/time/rate"

	"disburser/internal/cli"
	"disburser/message"
)

// workers is the service's default number of slots, burst that of a limit.
const (
	workers = 128
	burst   = 5
)

// options are what the command line says.
type options struct {
	Kafka    string        `name:"kafka" required:"" placeholder:"ADDR" help:"Address of a broker."`
	Redis    string        `name:"redis" required:"" placeholder:"ADDR" help:"Address of Redis."`
	Group    string        `name:"group" placeholder:"NAME" default:"floor" help:"The consumer group."`
	Commands string        `name:"commands" placeholder:"TOPIC" default:"payout.commands" help:"The topic to read."`
	Results  string        `name:"results" placeholder:"TOPIC" default:"payout.results" help:"The topic to write."`
	Rate     float64       `name:"rate" placeholder:"NUMBER" default:"0" help:"Sends a second of each merchant; 0 = no limit."`
	First    time.Duration `name:"first" placeholder:"TIME" default:"50ms" help:"Time from the send to the ask."`
	Provider provider      `embed:""`
}

func (*options) Examples() []cli.Example {
	return []cli.Example{{Line: "floor --kafka 127.0.0.1:9092 --redis 127.0.0.1:6379 --provider http://127.0.0.1:8090/egy-pay --merchant-no 0000000001 --secret simulated"}}
}

func program() cli.Program {
	return cli.Program{
		Name: "floor", Grammar: &options{},
		About: "floor is what bench measures the disburser against: the same calls without the safety. It must never see real money.",
	}
}

func main() {
	os.Exit(cli.Main(program())) //nolint:forbidigo // a program, though it lives in internal
}

type command struct {
	TradeNo, Merchant, Amount, Remark, BatchID string
	Payee                                      map[string]string
	received, sent                             time.Time
}

type floor struct {
	options
	errs   io.Writer
	redis  *redis.Client
	writer *kafka.Writer
	failed atomic.Int64
	rates  map[string]*rate.Limiter // by merchant; only the dispatching goroutine uses it
}

// Run works until ctx ends.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	o.Provider.transport = newTransport()
	f := &floor{
		options: *o, errs: s.Err, rates: map[string]*rate.Limiter{}, redis: redis.NewClient(&redis.Options{Addr: o.Redis, PoolSize: 32}),
		writer: &kafka.Writer{
			Addr: kafka.TCP(o.Kafka), Topic: o.Results, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
			BatchTimeout: 5 * time.Millisecond, BatchSize: 500, Async: true, Transport: &kafka.Transport{MetadataTopics: []string{o.Results}},
		},
	}
	f.writer.Completion = func(_ []kafka.Message, err error) { f.failure(err) }
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{o.Kafka}, GroupID: o.Group, Topic: o.Commands, MaxWait: 250 * time.Millisecond, MaxBytes: 4 << 20,
		QueueCapacity: 1000, CommitInterval: time.Second, StartOffset: kafka.FirstOffset,
	})
	jobs, asks := make(chan command), make(chan command)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { f.work(ctx, jobs, asks) })
	}
	for {
		m, err := reader.FetchMessage(ctx)
		if err != nil {
			break
		}
		f.failure(f.dispatch(ctx, m, jobs))
		f.failure(reader.CommitMessages(ctx, m))
	}
	group.Wait()
	_ = reader.Close()
	_ = f.writer.Close()
	fmt.Fprintf(s.Err, "floor: %d failures\n", f.failed.Load())
	return nil
}

// dispatch hands a command to a worker, as soon as its merchant's rate allows. The commands come
// by turns of the merchants, so none waits for another one's rate.
func (f *floor) dispatch(ctx context.Context, m kafka.Message, jobs chan<- command) error {
	var c command
	if err := json.Unmarshal(m.Value, &c); err != nil {
		return err
	}
	c.received = time.Now().UTC()
	if f.Rate > 0 {
		limit := f.rates[c.Merchant]
		if limit == nil {
			limit = rate.NewLimiter(rate.Limit(f.Rate), burst)
			f.rates[c.Merchant] = limit
		}
		if err := limit.Wait(ctx); err != nil {
			return err
		}
	}
	select {
	case jobs <- c:
	case <-ctx.Done():
	}
	return nil
}

// failure counts: that is all this program does about one.
func (f *floor) failure(err error) {
	if err != nil && !errors.Is(err, context.Canceled) && f.failed.Add(1) == 1 {
		fmt.Fprintln(f.errs, "floor:", err)
	}
}

// work makes calls; no worker waits for the moment of an ask.
func (f *floor) work(ctx context.Context, jobs <-chan command, asks chan command) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-asks:
			f.failure(f.ask(ctx, c))
		case c := <-jobs:
			c, err := f.send(ctx, c)
			if err != nil {
				f.failure(err)
				continue
			}
			time.AfterFunc(f.First, func() {
				select {
				case asks <- c:
				case <-ctx.Done():
				}
			})
		}
	}
}

func (f *floor) send(ctx context.Context, c command) (command, error) {
	fresh, err := f.redis.SetNX(ctx, "floor:"+c.TradeNo, "1", 720*time.Hour).Result()
	if err != nil || !fresh {
		return c, fmt.Errorf("%s is known: %w", c.TradeNo, err)
	}
	c.sent = time.Now().UTC()
	a, err := f.Provider.send(ctx, c)
	if err == nil && a.Code != "0000" {
		err = fmt.Errorf("sent: %s %s", a.Code, a.Msg)
	}
	return c, err
}

func (f *floor) ask(ctx context.Context, c command) error {
	a, err := f.Provider.ask(ctx, c)
	if err != nil {
		return err
	}
	if a.Data.Status != "0000" {
		return fmt.Errorf("asked: %s %s", a.Code, a.Data.Status)
	}
	e := message.Event{
		EventID: c.TradeNo + "-paid", Type: message.EventPaid, TradeNo: c.TradeNo, Merchant: c.Merchant, Country: "egypt", BatchID: c.BatchID,
		Amount: c.Amount, Currency: "EGP", Status: a.Data.Status, StatusText: a.Data.Message, PlatformTradeNo: a.Data.PlatFormTradeNo,
		PaidAmount: a.Data.Amount, SuccessTime: a.Data.SuccessTime, Remark: c.Remark, Sends: 1, Asks: 1,
		ReceivedAt: c.received.Format(time.RFC3339Nano), SentAt: c.sent.Format(time.RFC3339Nano), SettledAt: time.Now().UTC().Format(time.RFC3339Nano),
	}
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return f.writer.WriteMessages(ctx, kafka.Message{Key: []byte(c.TradeNo), Value: value, Headers: []kafka.Header{
		header("ce_specversion", "1.0"), header("ce_id", e.EventID), header("ce_source", "/disburser/"+c.Merchant), header("ce_type", string(e.Type)),
		header("ce_subject", c.TradeNo), header("ce_time", e.SettledAt), header("content-type", "application/json"),
	}})
}

func header(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }
