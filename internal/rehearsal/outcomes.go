package rehearsal

import (
	"context"
	"sync"
	"time"

	"disburser/internal/partition"
	"disburser/message"
)

// outcomes are what was announced of each payout last.
type outcomes struct {
	mu     sync.Mutex
	last   map[string]outcome // by tradeNo
	finals int
	held   int
}

type outcome struct {
	merchant string
	kind     message.EventType
	at       time.Time
}

// follow reads a partition of the results until ctx ends.
func (o *outcomes) follow(ctx context.Context, source partition.Source) {
	next := int64(0)
	for ctx.Err() == nil {
		page, err := source.Fetch(ctx, next, time.Second)
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		for _, r := range page.Records {
			if e, err := message.DecodeEvent(message.New(r.Key, r.Value, r.Headers)); err == nil {
				o.take(e, r.Time)
			}
		}
		next = page.Next
	}
}

// take takes an event. A final one stands.
func (o *outcomes) take(e message.Event, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, known := o.last[e.TradeNo]
	if known && before.kind != message.EventHeld {
		return
	}
	if e.Type == message.EventHeld {
		if !known {
			o.held++
		}
	} else {
		o.finals++
		if known {
			o.held--
		}
	}
	o.last[e.TradeNo] = outcome{e.Merchant, e.Type, at}
}

// count counts the payouts with an outcome, and those that are held.
func (o *outcomes) count() (settled, held int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.finals, o.held
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
