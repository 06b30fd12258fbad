package decisions

import (
	"fmt"
	"strings"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

// reasonMost is how many bytes of a hold's reason are restored: it takes memory of Redis.
const reasonMost = 2000

// reading turns records of Kafka into what they say of payouts (protocol E4 d).
type reading struct {
	keeper *Keeper
	epoch  string // the one that is being built
}

// owns tells a payout of this shard. What is no tradeNo is a stranger's: no command can have it.
func (r reading) owns(tradeNo string) bool {
	return message.ValidTradeNo(tradeNo) && r.keeper.Owns(tradeNo)
}

// read reads a record of a portion.
func (r reading) read(record partition.Record, p *epochs.Portion) ([]epochs.Restored, error) {
	if p.Decisions {
		return r.decision(record, p)
	}
	return r.result(record), nil
}

// result reads an event of this shard: a final one, or a hold, which only a final one ends.
func (r reading) result(record partition.Record) []epochs.Restored {
	e, err := message.DecodeEvent(message.New(record.Key, record.Value, record.Headers))
	if err != nil || len(e.Fingerprint) != payout.FingerprintLen || !r.owns(e.TradeNo) {
		return nil // a stranger wrote it, or it is another shard's
	}
	f := epochs.Restored{Kind: epochs.WasAnnounced, TradeNo: e.TradeNo, Fingerprint: e.Fingerprint, Time: record.Time}
	if r.keeper.Knows(e.Merchant) { // else it shares the lane of those that aren't configured
		f.Merchant = e.Merchant
	}
	var final bool
	if f.State, final = message.FinalOf(e.Type); !final {
		if e.Type != message.EventHeld {
			return nil
		}
		f.Kind, f.State, f.Reason = epochs.WasHeld, payout.StateHeld, shortened(e.Reason, reasonMost)
	}
	// When it was held tells one hold from the next. A time ahead of Kafka's is a wrong clock's.
	if f.Kind == epochs.WasHeld && !e.Time.IsZero() && !e.Time.After(record.Time.Add(slack)) {
		f.Time = e.Time
	}
	return []epochs.Restored{f}
}

// fingerprintOf answers what a result says of its command; false where a stranger wrote it.
func fingerprintOf(result partition.Record) (f payout.Fingerprint, ours bool) {
	f = payout.Fingerprint(message.New(nil, nil, result.Headers).Header(message.FingerprintHeader))
	return f, len(f) == payout.FingerprintLen
}

// decision reads a decision, and notes in the portion what fence it has come to. A decision
// counts if its epoch is that of the last fence before it. A stale half of Redis may have
// written another one after it was fenced; then nothing was done on account of it (protocol
// S4).
//
// If a stale decision to send counted, it could undo an end by our own word that was decided,
// announced and marked before it landed. The model finds "rejected and paid" that way.
//
// What a newer version has written is an error: it may mean what this one can't restore.
func (r reading) decision(record partition.Record, p *epochs.Portion) ([]epochs.Restored, error) {
	d, err := message.DecodeDecision(record.Value)
	if err != nil {
		return nil, nil // a stranger's: what a disburser writes can be read
	}
	if d.Newer() {
		return nil, fmt.Errorf("decisions: the record at offset %d of partition %d is of layout %d, this version knows %d: %w",
			record.Offset, p.Partition, d.Layout, epochs.Layout, epochs.ErrNewerLayout)
	}
	if d.Epoch.ID != r.epoch { // its own fences stand there too
		p.Highest = max(p.Highest, d.Epoch.Number)
	}
	if d.Kind == message.KindLost { // about the topics, so it says it for all shards
		p.Lost = max(p.Lost, d.Time.UnixMilli(), record.Time.UnixMilli()) // by whichever clock is ahead
	}
	if d.Latest != nil { // about the topic, so it says it for all shards
		p.Action = latestAction(acts.ParsePlace(p.Action), *d.Latest).Text()
	}
	ours := d.Shard == r.keeper.Log.shard
	if ours && d.Kind != message.KindFence && d.Kind != message.KindLost { // with these two it only begins
		p.Worked = max(p.Worked, d.Epoch.Number)
	}
	switch d.Kind {
	case message.KindFence:
		if ours {
			p.Fence = d.Epoch.ID
		}
	case message.KindSend:
		// By whatever shard: their number may have been another one. Where no fence can be
		// read before it, it counts: that costs a question at most.
		if !ours || p.Fence == "" || d.Epoch.ID == p.Fence {
			return r.sends(d), nil
		}
	case message.KindFinal, message.KindResolved:
		if ours && d.Epoch.ID == p.Fence {
			return r.ends(d), nil
		}
	default: // readers skip kinds that they don't need or know
	}
	return nil, nil
}

func (r reading) sends(d message.Decision) []epochs.Restored {
	var sends []epochs.Restored
	for i, tradeNo := range d.TradeNos {
		if i < len(d.Fingerprints) && r.owns(tradeNo) {
			sends = append(sends, epochs.Restored{
				Kind: epochs.WasDecided, TradeNo: tradeNo, Fingerprint: whole(d.Fingerprints[i]), Merchant: d.Merchant, Time: d.Time,
				Lease: time.Duration(d.Lease) * time.Millisecond, Account: d.Account,
			})
		}
	}
	return sends
}

func (r reading) ends(d message.Decision) []epochs.Restored {
	var ends []epochs.Restored
	for i, tradeNo := range d.TradeNos {
		if i >= len(d.Fingerprints) || i >= len(d.States) || i >= len(d.Reasons) {
			break
		}
		if !r.owns(tradeNo) {
			continue
		}
		state, known := endOf(d.Kind, d.States[i])
		if !known {
			continue
		}
		merchant := d.Merchant
		if !r.keeper.Knows(merchant) {
			merchant = ""
		}
		end := epochs.Restored{
			Kind: epochs.WasEnded, TradeNo: tradeNo, Fingerprint: whole(d.Fingerprints[i]), Merchant: merchant, State: state, Reason: d.Reasons[i], Time: d.Time,
		}
		if end.By, end.ConfirmedBy, end.Action = d.Person(i); end.By == "" && d.Kind == message.KindResolved {
			continue // a stranger's
		}
		ends = append(ends, end)
	}
	return ends
}

// endOf is the state that a decision says. Our own word never makes a payout paid, a person's never
// makes it rejected: that is said of what was never sent.
func endOf(kind message.DecisionKind, says string) (state payout.State, known bool) {
	switch {
	case says == payout.StateFailed.String():
		return payout.StateFailed, true
	case kind == message.KindFinal:
		return payout.StateRejected, true
	default:
		return payout.StatePaid, says == payout.StatePaid.String()
	}
}

// whole replaces a fingerprint that another version made in another way. None of ours is equal
// to the new one, so the command becomes a conflict: a person sees it, and it isn't sent.
func whole(f payout.Fingerprint) payout.Fingerprint {
	if len(f) != payout.FingerprintLen {
		return payout.Fingerprint(strings.Repeat("?", payout.FingerprintLen))
	}
	return f
}
