package decisions

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

const (
	// overhead is what a record and its record batch take besides value and key, at most.
	overhead = 200

	// roomAgain is how long it is remembered that a topic took less than it was given; an
	// operator may have raised it since.
	roomAgain = time.Minute
)

// part is one record of a request, or of several.
type part struct {
	record  message.Decision
	request int // its place among those that are written together
}

// room is how many bytes a topic takes in one record batch.
type room struct {
	bytes int
	seen  time.Time
}

// now answers how many bytes are tried. After roomAgain it is twice as many, and not all at
// once. So a topic that still takes no more refuses one record batch, and not one after the
// other.
func (r room) now() int {
	switch {
	case r.bytes == 0:
		return together
	case time.Since(r.seen) > roomAgain:
		return min(together, 2*r.bytes)
	}
	return r.bytes
}

// took notes that the topic has taken a record batch of a size.
func (r *room) took(size int) {
	if r.bytes > 0 && size > r.bytes {
		*r = room{bytes: size, seen: time.Now()}
	}
}

// appendAll writes parts in as many record batches as the topic needs. It answers the offsets
// of the first record, of the last record batch, and behind that; end is 0 if nothing was
// written. A part that the topic doesn't take even alone fails its request, and no other one.
func (l *Log) appendAll(ctx context.Context, number int, parts []part, failed []error) (first, last, end int64, err error) {
	first = -1
	for len(parts) > 0 {
		values, n, size, err := l.pack(parts)
		if err != nil {
			return 0, 0, 0, err
		}
		base, err := l.produce(ctx, number, values)
		switch {
		case tooLarge(err):
			l.room = room{bytes: size / 2, seen: time.Now()}
			if n > 1 {
				continue // packed again, for less room
			}
			halves, possible := smaller(parts[0])
			if !possible {
				failed[parts[0].request] = fmt.Errorf("decisions: %s takes less than the %d bytes of one decision: raise its max.message.bytes: %w", l.topic, size, err)
			}
			parts = append(halves, parts[1:]...)
			continue
		case err != nil:
			return 0, 0, 0, err
		}
		l.room.took(size)
		if first < 0 {
			first = base
		} else if base < end {
			return 0, 0, 0, fmt.Errorf("decisions: %w: %s/%d became shorter between two batches: was the topic made anew?", epochs.ErrOver, l.topic, number)
		}
		last, end = base, base+int64(n)
		parts = parts[n:]
	}
	return first, last, end, nil
}

// pack encodes as many of the parts as there is room for, one at least.
func (l *Log) pack(parts []part) (values [][]byte, n, size int, err error) {
	limit := l.room.now()
	for n < len(parts) {
		record := parts[n].record
		record.Seq = l.seq + 1
		value, err := l.encode(record)
		if err != nil {
			return nil, 0, 0, err
		}
		more := len(value) + len(l.instance) + overhead
		if n > 0 && size+more > limit {
			break
		}
		l.seq++
		values, size, n = append(values, value), size+more, n+1
	}
	return values, n, size, nil
}

// smaller makes two parts of one part, or a part that says less of why.
func smaller(p part) (parts []part, possible bool) {
	r := p.record
	if n := len(r.TradeNos); n > 1 {
		return []part{{span(r, 0, n/2), p.request}, {span(r, n/2, n), p.request}}, true
	}
	if len(r.Reasons) == 1 && len(r.Reasons[0]) > 0 {
		r.Reasons = []string{shortened(r.Reasons[0], len(r.Reasons[0])/2)}
		return []part{{r, p.request}}, true
	}
	return nil, false
}

// shortened cuts a text, between two characters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// sizeOf estimates the length of a decision's JSON, in bytes.
func sizeOf(d message.Decision) int {
	n := 300 // the other fields
	for i := range d.TradeNos {
		n += len(d.TradeNos[i]) + len(d.Fingerprints[i]) + 8
	}
	for _, list := range [][]string{d.Reasons, d.By, d.ConfirmedBy, d.Actions} {
		for _, text := range list {
			n += len(text) + 16
		}
	}
	n += 120 * len(d.Evidence)
	return n
}

// span is the decision about some of its payouts.
func span(r message.Decision, from, to int) message.Decision {
	r.TradeNos, r.Fingerprints = r.TradeNos[from:to], r.Fingerprints[from:to]
	if r.Kind == message.KindFinal || r.Kind == message.KindResolved {
		r.States, r.Reasons = r.States[from:to], r.Reasons[from:to]
	}
	for _, list := range []*[]string{&r.By, &r.ConfirmedBy, &r.Actions} {
		if *list != nil {
			*list = (*list)[from:to]
		}
	}
	if r.Evidence != nil {
		r.Evidence = r.Evidence[from:to]
	}
	return r
}

// recordsOf lists payouts in as many records as keep to a size.
func recordsOf(kind message.DecisionKind, payouts []payout.Payout, most int) []message.Decision {
	whole := message.DecisionOf(kind, payouts)
	records := []message.Decision{whole}
	for i := 0; i < len(records); {
		if n := len(records[i].TradeNos); n > 1 && sizeOf(records[i]) > most {
			records = append(records[:i], append([]message.Decision{span(records[i], 0, n/2), span(records[i], n/2, n)}, records[i+1:]...)...)
		} else {
			i++
		}
	}
	return records
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}
