package bookstest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/money"
	"disburser/payout/secrets"
)

// Part is one partition of a run.
type Part struct {
	Topic     books.Topic
	Partition int
}

// Run is what the topics hold after some payouts have gone through.
type Run map[Part][]partition.Record

// Start is when the first command of a run came.
var Start = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

// Resolve is how the merchants of a run complete a command.
func Resolve(c payout.Command) payout.Command {
	if c.Currency == "" {
		c.Currency, c.CurrencyFrom = "EGP", payout.FromCountry
	}
	return c
}

// maker makes a run.
type maker struct {
	run  Run
	rng  *rand.Rand
	odd  bool // with everything that goes wrong
	size int
	now  time.Time
}

// NewRun makes a run of so many payouts, in partitions of each topic. An odd run has commands that come again and
// commands with another content, holds, repeats of results, dead letters and voided decisions.
func NewRun(rng *rand.Rand, payouts, partitions int, odd bool) Run {
	m := &maker{run: Run{}, rng: rng, odd: odd, size: payouts, now: Start}
	for number := range partitions {
		m.fence(number, "one")
	}
	for i := range payouts {
		m.payout(i, partitions)
	}
	return m.run
}

// Add appends a record to a partition.
func (r Run) Add(p Part, m message.Message, at time.Time) int64 {
	offset := int64(len(r[p]))
	r[p] = append(r[p], partition.Record{Offset: offset, Time: at, Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)})
	return offset
}

func (m *maker) tick() time.Time {
	m.now = m.now.Add(time.Millisecond)
	return m.now
}

func (m *maker) fence(number int, epoch string) {
	value, _ := message.EncodeDecision(message.Decision{Kind: message.KindFence, Epoch: epochs.Epoch{ID: epoch}, Time: m.tick()})
	m.run.Add(Part{books.Decisions, number}, message.Message{Value: value}, m.now)
}

// Command is the i-th of a run.
func Command(i, size int) payout.Command {
	amount, _ := money.Parse(fmt.Sprintf("%d.%02d", 100+i%900, i%100))
	return payout.Command{
		TradeNo: fmt.Sprintf("20261125-%07d", i), Merchant: "eg-main", Amount: amount, Currency: "EGP",
		Payee:   payout.NewPayee(map[string]string{"customerName": fmt.Sprintf("kevin %d", i), "walletId": fmt.Sprintf("0112%07d", i)}),
		BatchID: fmt.Sprintf("batch-%d", i%3), BatchSize: (size + 2 - i%3) / 3,
	}
}

func (m *maker) chance(percent int) bool { return m.odd && m.rng.IntN(100) < percent }

func (m *maker) payout(i, partitions int) {
	c := Command(i, m.size)
	number := i % partitions
	var headers []message.Header
	if m.chance(5) { // carried forward: its first command may be gone
		headers = message.Carried{State: payout.StateSending, ReceivedAt: m.now}.Headers()
	}
	m.command(c, number, headers)
	if m.chance(10) { // it comes again, in the same partition or in another one
		again := c
		if m.chance(50) {
			again.BatchID = "other"
		}
		m.command(again, m.rng.IntN(partitions), nil)
	}
	if m.chance(10) { // with another content
		other := c
		other.Amount, _ = money.Parse("7")
		if m.chance(30) {
			other.BatchID = "batch-0"
		}
		at := m.rng.IntN(partitions)
		offset := m.command(other, at, nil)
		if at == number || m.chance(70) {
			m.conflict(other, at, offset, partitions)
		}
	}
	if m.chance(10) {
		m.rubbish(i, partitions)
	}
	if m.chance(5) {
		return // nothing has become of it yet
	}
	m.send(c, number)
	if m.chance(10) { // by another instance, after a proven absence
		m.send(c, m.rng.IntN(partitions))
	}
	p := payout.Payout{Command: Resolve(c), State: payout.StatePaid, ReceivedAt: m.now, Sends: 1, Asks: 2, PaidAmount: c.Amount.String()}
	p.Fingerprint = p.Command.Fingerprint()
	if m.chance(15) {
		p.State, p.HeldAt, p.Reason = payout.StateHeld, m.tick(), "expired after a send that may have happened"
		m.result(p, number)
		if m.chance(50) {
			return
		}
	}
	if roll := m.rng.IntN(10); m.odd && roll < 3 {
		p.State = []payout.State{payout.StateFailed, payout.StateRejected, payout.StatePartial}[roll]
		p.PaidAmount = ""
	}
	p.SettledAt = m.tick()
	m.result(p, number)
	if m.chance(10) { // announced again, and the topic may have got more partitions meanwhile
		m.result(p, m.rng.IntN(partitions))
	}
}

func (m *maker) command(c payout.Command, number int, headers []message.Header) int64 {
	value, err := message.Encode(c)
	if err != nil {
		panic(err)
	}
	return m.run.Add(Part{books.Commands, number}, message.Message{Key: []byte(c.TradeNo), Value: value, Headers: headers}, m.tick())
}

func (m *maker) conflict(c payout.Command, number int, offset int64, partitions int) {
	value, _ := message.Encode(c)
	letter := message.EncodeDeadLetter(message.DeadLetter{
		Value: value, Code: message.Conflict, Reason: "a known tradeNo with other content", Index: -1, Topic: "payout.commands",
		Source: payout.Source{Partition: number, Offset: offset}, Time: m.tick(),
	})
	m.run.Add(Part{books.DeadLetters, m.rng.IntN(partitions)}, letter, m.now)
}

// rubbish is a command that nobody can read, its dead letter, and that one's replay.
func (m *maker) rubbish(i, partitions int) {
	number := m.rng.IntN(partitions)
	add := func(headers []message.Header) int64 {
		return m.run.Add(Part{books.Commands, number}, message.Message{Value: fmt.Appendf(nil, `{"tradeNo":"20261125-%07d","payee":{"walletId":"0112%07d`, i, i), Headers: headers}, m.tick())
	}
	letter := message.DeadLetter{
		Code: message.Malformed, Reason: "the value is no JSON", Index: -1, Topic: "payout.commands", Source: payout.Source{Partition: number, Offset: add(nil)}, Time: m.tick(),
	}
	m.run.Add(Part{books.DeadLetters, m.rng.IntN(partitions)}, message.EncodeDeadLetter(letter), m.now)
	for range m.rng.IntN(3) {
		add(message.Replay{Topic: letter.Topic, Source: letter.Source, Index: -1, By: "olga", First: letter.Time}.Replayed(nil))
	}
}

func (m *maker) send(c payout.Command, number int) {
	epoch := "one"
	if m.chance(5) {
		epoch = "voided"
	}
	value, _ := message.EncodeDecision(message.Decision{
		Kind: message.KindSend, Epoch: epochs.Epoch{ID: epoch}, Time: m.tick(), Merchant: c.Merchant, TradeNos: []string{c.TradeNo},
	})
	m.run.Add(Part{books.Decisions, number}, message.Message{Value: value}, m.now)
}

func (m *maker) result(p payout.Payout, number int) {
	e, _ := message.EventOf(p)
	encoded, err := message.EncodeEvent(e)
	if err != nil {
		panic(err)
	}
	m.run.Add(Part{books.Results, number}, encoded, m.tick())
}

// CarriedHeader marks a command that the service has published again.
var CarriedHeader = kafka.Header{Key: message.CarriedHeader, Value: []byte("sending")}

// OtherKey is another key of payees.
var OtherKey = secrets.New("another key of payees for tests")
