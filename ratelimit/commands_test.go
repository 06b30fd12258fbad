package ratelimit

import (
	"context"
	"testing"
	"time"
)

// TestWhatARequestCosts holds the number of commands that each request makes, as Redis counts
// them in total_commands_processed. The script's call counts, and each command inside of it.
func TestWhatARequestCosts(t *testing.T) {
	inFleet(t, Rate{PerSecond: 50, Burst: 5}, func(f *fleet) {
		ctx, l := context.Background(), f.limiter()
		l.Begin(ctx)
		all, _, _ := l.Take(ctx, 1) // the first call of each script loads it
		for i := range all {
			_ = all[i].Wait(ctx)
		}
		time.Sleep(time.Second)
		cost := func(what string, most int, request func()) {
			t.Helper()
			before := f.redis.CommandCount()
			request()
			if n := f.redis.CommandCount() - before; n > most {
				t.Errorf("%s: %d commands, %d at most", what, n, most)
			}
		}
		var tickets []Ticket
		cost("a reservation", 8, func() { tickets, _, _ = l.Take(ctx, 10) })
		if len(tickets) == 0 {
			t.Fatal("nothing was reserved")
		}
		cost("a moment, while others wait", 10, func() {
			if err := tickets[0].Wait(ctx); err != nil {
				t.Error(err)
			}
		})
	})
}
