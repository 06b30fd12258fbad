package books

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"disburser/payout"
)

// Batch is what was said about a batch as a whole.
type Batch struct {
	ID      string
	Size    int    // the first that was stated, 0 if none was
	SizeBy  SizeBy // where
	FirstAt int64  // the first and the last time that something named it, in ms
	LastAt  int64
	Told    Told // what was announced of it

	Changed int64  // how often the lines of its digest have changed since it was closed, with its closing; 0 before; or Frozen
	Digest  string // "" until it is closed, and while it has to be computed
}

// SizeBy is where a size was stated. The earliest counts. What a result repeats counts only where no command is known.
type SizeBy struct {
	Result bool  `json:"r,omitempty"`
	Time   int64 `json:"t"`
	Place
}

func (a SizeBy) before(b SizeBy) bool {
	result := func(s SizeBy) int {
		if s.Result {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(result(a), result(b)), cmp.Compare(a.Time, b.Time), a.compare(b.Place)) < 0
}

// names joins that something named the batch, and how large it said that it is.
func (b *Batch) names(at int64, size int, by SizeBy) {
	if at > 0 && (b.FirstAt == 0 || at < b.FirstAt) {
		b.FirstAt = at
	}
	if size > 0 && (b.Size == 0 || by.before(b.SizeBy)) {
		b.Size, b.SizeBy = size, by
	}
}

// lives joins that something happened in the batch.
func (b *Batch) lives(at int64) { b.LastAt = max(b.LastAt, at) }

// Told are the events of a batch that were written: each once.
type Told byte

// The events.
const (
	ToldOpened Told = 1 << iota
	Told25
	Told50
	Told75
	ToldClosed
)

// steps are the events in their order, and at which part of the size each comes.
var steps = []struct {
	told    Told
	kind    string
	percent int
}{
	{ToldOpened, "payout.batch.opened", 0},
	{Told25, "payout.batch.progress", 25},
	{Told50, "payout.batch.progress", 50},
	{Told75, "payout.batch.progress", 75},
	{ToldClosed, "payout.batch.closed", 100},
}

// BatchEvent is an event of a batch, as it is published.
type BatchEvent struct {
	ID, BatchID, Type string
	Time              int64 // in ms
	Value             []byte
}

// tell answers the events that are due, and notes them.
func (b *Batch) tell(totals Totals, now time.Time) (events []BatchEvent, err error) {
	value := b.Value(totals)
	for _, s := range steps {
		if b.Told&s.told != 0 || b.ID == "" || value.Seen == 0 || !b.reached(s.percent, value) {
			continue
		}
		value.Type = s.kind
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("books: write the event of the batch %q: %w", b.ID, err)
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s", s.kind, s.percent, b.ID))
		events = append(events, BatchEvent{hex.EncodeToString(sum[:16]), b.ID, s.kind, now.UnixMilli(), text})
		b.Told |= s.told
	}
	return events, nil
}

// reached tells that so many percent of the size have ended. Closed are as many as the first stated size, and all of them
// have ended.
func (b *Batch) reached(percent int, v BatchValue) bool {
	switch {
	case percent == 0:
		return true
	case b.Size == 0:
		return false
	case percent == 100:
		return v.Seen >= b.Size && v.ended() == v.Seen
	}
	return v.ended()*100 >= percent*b.Size
}

// BatchValue is what is told of a batch. Its JSON names are stable.
type BatchValue struct {
	BatchID string             `json:"batchId"`
	Type    string             `json:"type,omitempty"` // of an event
	Size    int                `json:"size"`           // as first stated, 0 if it wasn't
	Seen    int                `json:"seen"`           // distinct tradeNos
	States  map[string]int     `json:"states"`
	Amounts map[string]Amounts `json:"amounts"` // by currency
	FirstAt string             `json:"firstAt,omitempty"`
	LastAt  string             `json:"lastAt,omitempty"`
	Copies  int                `json:"duplicates"` // commands that came again with the same content
}

// Amounts says where the money of a currency is. Ordered is the sum of open, paid, partial, failed and rejected.
type Amounts struct {
	Ordered     string `json:"ordered"`
	Open        string `json:"open"`
	Paid        string `json:"paid"` // what was ordered of the payouts that are paid
	Partial     string `json:"partial"`
	Failed      string `json:"failed"`
	Rejected    string `json:"rejected"`
	PartialPaid string `json:"partialPaid"`       // what the provider says was paid of the partial ones
	Without     int    `json:"without,omitempty"` // payouts whose amount isn't known or has too many digits
}

// ended counts what is final.
func (v BatchValue) ended() (n int) {
	for _, s := range payout.States {
		if s.Final() {
			n += v.States[s.String()]
		}
	}
	return n
}

// Value says what is known of the batch by its totals.
func (b *Batch) Value(totals Totals) BatchValue {
	v := ValueOf(totals)
	v.BatchID, v.Size, v.FirstAt, v.LastAt = b.ID, b.Size, Stamp(b.FirstAt), Stamp(max(b.FirstAt, b.LastAt))
	return v
}

// ValueOf sums up totals.
func ValueOf(totals Totals) BatchValue {
	v := BatchValue{States: map[string]int{}, Amounts: map[string]Amounts{}}
	for _, s := range payout.States {
		v.States[s.String()] = 0
	}
	type sums struct {
		ordered, open, paid, partial, failed, rejected, partialPaid big.Int
		without                                                     int64
	}
	by := map[string]*sums{}
	for k, t := range totals {
		if k.State == Copies {
			v.Copies += int(t.Count)
			continue
		}
		v.Seen += int(t.Count)
		v.States[k.State.String()] += int(t.Count)
		s := by[k.Currency]
		if s == nil {
			s = new(sums)
			by[k.Currency] = s
		}
		to := &s.open
		switch k.State {
		case payout.StatePaid:
			to = &s.paid
		case payout.StatePartial:
			to = &s.partial
			s.partialPaid.Add(&s.partialPaid, &t.Paid)
		case payout.StateFailed:
			to = &s.failed
		case payout.StateRejected:
			to = &s.rejected
		default:
		}
		to.Add(to, &t.Ordered)
		s.ordered.Add(&s.ordered, &t.Ordered)
		s.without += t.Without
	}
	for currency, s := range by {
		v.Amounts[currency] = Amounts{
			Ordered: Decimal(&s.ordered), Open: Decimal(&s.open), Paid: Decimal(&s.paid), Partial: Decimal(&s.partial), Failed: Decimal(&s.failed),
			Rejected: Decimal(&s.rejected), PartialPaid: Decimal(&s.partialPaid), Without: int(s.without),
		}
	}
	return v
}

// Stamp writes a time in ms as the books tell it, "" for none.
func Stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
