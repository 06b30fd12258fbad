package journal

import (
	"context"

	"disburser/payout"
	"disburser/payout/inquiry"
)

// Known answers what this shard holds of a payout. It believes in no epoch and changes nothing. What can't be believed
// now comes with the reason, in Doubt.
func (j *Journal) Known(ctx context.Context, tradeNo string) (inquiry.Found, error) {
	a, err := j.runAs(ctx, "known", []any{"", j.window.Milliseconds(), bucket(tradeNo), tradeNo})
	if err != nil {
		return inquiry.Found{}, err
	}
	f := inquiry.Found{At: instant(a, 0), Opens: int(number(a, 7)), Due: instant(a, 9), Before: int(number(a, 10)), Doubt: doubt(a)}
	f.Payout.TradeNo = tradeNo
	if record := word(a, 8); record != "" {
		return readOpen(f, record), nil
	}
	if memo := word(a, 11); memo != "" {
		return readMemo(f, memo, word(a, 12)), nil
	}
	return f, nil
}

// readOpen reads the record of an open payout.
func readOpen(f inquiry.Found, record string) inquiry.Found {
	p, err := decode(f.Payout.TradeNo, record)
	if err != nil {
		f.Place, f.Err = inquiry.UnreadableHere, err
		return f
	}
	f.Place, f.Payout = inquiry.Open, p
	h := numbers{text: record}
	f.Until = h.time(leaseEndAt)
	f.InWork = f.Until.After(f.At)
	return f
}

// readMemo reads what is remembered of a payout; see memo_of_send in lua/_dedup.lua. why stands apart, as progress.
func readMemo(f inquiry.Found, memo, why string) inquiry.Found {
	const sentFrom, sentTo, accountTo = 17, 30, 38
	if letter := memo[0]; letter != 'S' && letter != 's' {
		f.Place, f.Remembered = inquiry.Ended, payout.State(letter)
		return f
	}
	f.Place, f.Remembered = inquiry.AwaitsHeld, payout.StateHeld
	if h := (numbers{text: memo}); len(memo) >= sentTo {
		f.Sent = h.time(sentFrom)
	}
	if !f.Sent.IsZero() {
		f.Place, f.Remembered = inquiry.AwaitsSent, payout.StateSending
	}
	if memo[0] == 'S' && len(memo) > accountTo {
		f.Payout.Merchant = memo[accountTo:]
	}
	var became progress
	if why != "" && became.read(why) == nil {
		f.Payout.Reason, f.Payout.HeldAt = became.Reason, timeOf(became.Held)
	}
	return f
}

// doubt says why what a Redis holds can't be believed now, "" if it can (protocol E2, E11). A stale half of a split one
// can't know that.
func doubt(answer []any) string {
	now, runID := instant(answer, 0), word(answer, 1)
	id, openedOn, building := word(answer, 2), word(answer, 3), word(answer, 4)
	from, until := instant(answer, 5), instant(answer, 6)
	switch {
	case building != "":
		return "the journal is being rebuilt from Kafka: what it holds is not whole yet"
	case id == "":
		return "no epoch is open: the journal is new, or was lost; a running instance rebuilds it from Kafka"
	case openedOn != runID:
		return "Redis was restarted or replaced, and no epoch has opened since: what it holds may be older than what was done"
	case !from.IsZero() && now.Before(from), !until.IsZero() && now.After(until):
		return "the clock of Redis has jumped: set it right; until then its journal isn't believed"
	}
	return ""
}

// Known answers what the payout's shard holds of it. Opens counts the open payouts of all shards.
func (s Shards) Known(ctx context.Context, tradeNo string) (inquiry.Found, error) {
	of := s.Of(tradeNo)
	f, err := s.journals[of].Known(ctx, tradeNo)
	for i, j := range s.journals {
		if i == of || err != nil {
			continue
		}
		var other inquiry.Found
		other, err = j.Known(ctx, tradeNo)
		f.Opens += other.Opens
	}
	return f, err
}
