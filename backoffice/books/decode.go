package books

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// Resolve fills in what a command leaves to its merchant, as the service does it at intake.
type Resolve func(payout.Command) payout.Command

// Facts are what a page of records says.
type Facts struct {
	Payouts []Fact
	Letters []Letter
	Replays []Replay
	Actions []acts.Record
	Unread  int // records that can't be read
}

// Fact is one thing that is said about a tradeNo. One of the four is set.
type Fact struct {
	TradeNo string
	Order   *Order
	Event   *Event
	Sent    *Sent
	Lost    *Lost
}

// Letter is a dead letter, without the message that it holds.
type Letter struct {
	Topic   string
	Source  Place // of the message that it is about
	Place         // its own
	Code    message.Code
	Reason  string
	Time    int64  // in ms
	TradeNo string // what could be read of it, else ""
	BatchID string
	Merchant,
	Amount, Currency string
	Payee map[string]string // masked
}

// Replay is a command that a person had published again from a dead letter. The command is the record of that: nothing else says it.
type Replay struct {
	Topic  string
	Source Place  // of the message that became the dead letter
	Place         // of the command
	Time   int64  // Kafka's, in ms
	By     string // who had it published
}

// Decoder makes facts of the records of one partition. One goroutine uses it.
type Decoder struct {
	Topic     Topic
	Partition int
	Resolve   Resolve
	Fences    Fences // of the decisions: what was read before
	payee     *PayeeHash
	seals     *Sealer
}

// NewDecoder makes one.
func NewDecoder(topic Topic, number int, resolve Resolve, key secrets.Secret) *Decoder {
	return &Decoder{Topic: topic, Partition: number, Resolve: resolve, payee: NewPayeeHash(key), seals: NewSealer(key), Fences: Fences{}}
}

// Fences are the epochs that write into a partition of the decisions, by shard.
type Fences map[int]string

// Page makes facts of records, in their order.
func (d *Decoder) Page(records []partition.Record) (f Facts) {
	f.Payouts = make([]Fact, 0, len(records))
	for _, r := range records {
		read := false
		switch d.Topic {
		case Commands:
			read = d.command(r, &f)
		case Results:
			read = d.result(r, &f)
		case Decisions:
			read = d.decision(r, &f)
		case DeadLetters:
			read = d.letter(r, &f)
		case Actions:
			f.Actions, read = append(f.Actions, actionOf(r)), true
		case Batches: // no book is made of them
		}
		if !read {
			f.Unread++
		}
	}
	return f
}

// command reads one payout or a bulk. What can't be read has a dead letter, or gets one.
func (d *Decoder) command(r partition.Record, f *Facts) bool {
	if replay, is := message.DecodeReplay(message.HeadersOf(r.Headers)); is {
		f.Replays = append(f.Replays, Replay{
			Topic: clean(replay.Topic), Source: Place{replay.Source.Partition, replay.Source.Offset, replay.Index + 1},
			Place: Place{d.Partition, r.Offset, 0}, Time: r.Time.UnixMilli(), By: clean(replay.By),
		})
	}
	orders, err := message.Decode(r.Value)
	if err != nil {
		return false
	}
	copies := 1
	for _, h := range r.Headers {
		if h.Key == message.CarriedHeader {
			copies = 0
		}
	}
	for _, o := range orders {
		if o.Unreadable != nil {
			continue
		}
		order := d.order(o.Command)
		order.Place, order.Time, order.Copies = Place{d.Partition, r.Offset, o.Index + 1}, r.Time.UnixMilli(), copies
		f.Payouts = append(f.Payouts, Fact{TradeNo: o.Command.TradeNo, Order: &order})
	}
	return true
}

// order is what the books keep of a command.
func (d *Decoder) order(c payout.Command) Order {
	c = d.Resolve(c)
	o := Order{
		Fingerprint: d.seals.Of(c.Fingerprint()), Other: d.seals.Of(c.OtherFingerprint()), Merchant: c.Merchant, Amount: c.Amount.String(), Currency: c.Currency,
		BatchID: c.BatchID, BatchSize: c.BatchSize, NotBefore: millis(c.NotBefore), ExpiresAt: millis(c.ExpiresAt), Payee: c.Payee.Masked(),
	}
	for _, value := range c.Payee.Revealed() {
		o.Hashes = append(o.Hashes, d.payee.Of(value))
	}
	slices.Sort(o.Hashes)
	o.Hashes = slices.Compact(o.Hashes)
	return o
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// result reads an event of a known type.
func (d *Decoder) result(r partition.Record, f *Facts) bool {
	e, err := message.DecodeEvent(messageOf(r))
	if err != nil || e.EventID == "" {
		return false
	}
	if _, final := message.FinalOf(e.Type); !final && e.Type != message.EventHeld {
		return false
	}
	at := e.Time
	if at.IsZero() {
		at = r.Time
	}
	f.Payouts = append(f.Payouts, Fact{TradeNo: e.TradeNo, Event: &Event{
		Place: Place{d.Partition, r.Offset, 0}, ID: e.EventID, Type: e.Type, Time: at.UnixMilli(), Fingerprint: d.seals.Of(e.Fingerprint),
		Merchant: clean(e.Merchant), Amount: e.Amount, Currency: clean(e.Currency), BatchID: clean(e.BatchID), BatchSize: e.BatchSize,
		Status: e.Status, StatusText: e.StatusText, PlatformTradeNo: e.PlatformTradeNo, PaidAmount: e.PaidAmount,
		Reason: e.Reason, Contradiction: e.Contradiction, By: e.By, ConfirmedBy: e.ConfirmedBy, Sends: e.Sends, Asks: e.Asks,
		ReceivedAt: parsed(e.ReceivedAt), SentAt: parsed(e.SentAt),
	}})
	return true
}

// clean is a text from outside as both databases take it: PostgreSQL refuses what isn't UTF-8, and zero bytes.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

func parsed(text string) int64 {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0
	}
	return at.UnixMilli()
}

// decision reads who may have been sent. What stands behind the fence of a later epoch is void, so nothing was sent by it.
func (d *Decoder) decision(r partition.Record, f *Facts) bool {
	decision, err := message.DecodeDecision(r.Value)
	if err != nil {
		return false
	}
	switch decision.Kind {
	case message.KindFence:
		d.Fences[decision.Shard] = decision.Epoch.ID
	case message.KindSend:
		if epoch, fenced := d.Fences[decision.Shard]; fenced && epoch != decision.Epoch.ID {
			return true
		}
		for _, tradeNo := range decision.TradeNos {
			if !message.ValidTradeNo(tradeNo) {
				continue
			}
			f.Payouts = append(f.Payouts, Fact{TradeNo: tradeNo, Sent: &Sent{
				Place: Place{d.Partition, r.Offset, 0}, Time: millis(decision.Time), Merchant: clean(decision.Merchant), Times: 1,
			}})
		}
	default:
	}
	return true
}

// letter reads a dead letter. Where it holds a command, a conflict says which content lost.
func (d *Decoder) letter(r partition.Record, f *Facts) bool {
	letter, err := message.DecodeDeadLetter(messageOf(r))
	if err != nil {
		return false
	}
	l := Letter{
		Topic: clean(letter.Topic), Source: Place{letter.Source.Partition, letter.Source.Offset, letter.Index + 1},
		Place: Place{d.Partition, r.Offset, 0}, Code: message.Code(clean(string(letter.Code))), Reason: clean(letter.Reason), Time: millis(letter.Time),
	}
	if orders, err := message.Decode(letter.Value); err == nil && len(orders) == 1 && orders[0].Unreadable == nil {
		o := d.order(orders[0].Command)
		l.TradeNo, l.BatchID, l.Merchant, l.Amount, l.Currency, l.Payee = orders[0].Command.TradeNo, o.BatchID, o.Merchant, o.Amount, o.Currency, o.Payee
		if l.Code == message.Conflict {
			f.Payouts = append(f.Payouts, Fact{TradeNo: l.TradeNo, Lost: &Lost{l.Place, l.Time, o.content()}})
		}
	}
	f.Letters = append(f.Letters, l)
	return true
}

func messageOf(r partition.Record) message.Message { return message.New(r.Key, r.Value, r.Headers) }

func actionOf(r partition.Record) acts.Record {
	a := acts.Record{Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		a.Headers = append(a.Headers, acts.Header{Name: h.Key, Value: h.Value})
	}
	return a
}

// PayeeHash makes of a payee's value what it is found by: 64 bits of an HMAC under payee_key. Nobody without the key can
// try values. That two values of 10 million are alike by chance has the odds 1 to 370,000. One goroutine uses it.
type PayeeHash struct{ mac hash.Hash }

// NewPayeeHash makes one.
func NewPayeeHash(key secrets.Secret) *PayeeHash {
	return &PayeeHash{hmac.New(sha256.New, []byte(key.Reveal()))}
}

// Of is a value's. Capitals and white space make no difference, for people type names in many ways.
func (h *PayeeHash) Of(value string) int64 {
	h.mac.Reset()
	_, _ = h.mac.Write([]byte(strings.ToLower(strings.Join(strings.Fields(value), " ")))) // never fails
	return int64(binary.BigEndian.Uint64(h.mac.Sum(nil)))
}
