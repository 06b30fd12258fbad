package ratelimit

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A ticket knows whether its moment is granted or reserved. Its time doesn't tell: other tickets
// may be reserved for a later time.
func TestATicketThatIsGrantedAsksForNothing(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) {
		ctx := context.Background()
		l := f.limiter()
		l.Begin(context.Background())
		time.Sleep(time.Second)
		granted, _, err := l.Take(ctx, 1)
		if err != nil || len(granted) != 1 || !granted[0].granted {
			t.Fatal(granted, err)
		}
		l.Change(Rate{100, 20}, time.Minute)
		reserved, _, err := l.Take(ctx, 1)
		if err != nil || len(reserved) != 1 || reserved[0].granted {
			t.Fatal(reserved, err)
		}
		f.redis.SetError("LOADING not now")
		if err := granted[0].Wait(ctx); err != nil {
			t.Error("its moment was granted, and Redis was asked for it again:", err)
		}
		if err := reserved[0].Wait(ctx); err == nil {
			t.Error("its moment was only reserved, and nobody was asked for it")
		}
		f.redis.SetError("")
	})
}

// Only the latest probe is made: an earlier one without an answer is refused.
func TestOnlyTheLatestProbeIsMade(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx := context.Background()
		l := f.limiter()
		l.Begin(ctx)
		before, _, err := l.Take(ctx, 1)
		if err != nil || len(before) != 1 {
			t.Fatal(before, err)
		}
		if err := l.Refused(ctx, time.Now(), time.Second); err != nil {
			t.Fatal(err)
		}
		var probes []Ticket
		for range 2 {
			time.Sleep(probeTimeout + 2*time.Second)
			probe, _, err := l.Take(ctx, 8)
			if err != nil || len(probe) != 1 {
				t.Fatal(probe, err)
			}
			probes = append(probes, probe[0])
		}
		for name, c := range map[string]struct {
			ticket *Ticket
			want   error
		}{"of before": {&before[0], errNotTheProbe}, "the probe before": {&probes[0], errNotTheProbe}, "the probe": {&probes[1], nil}} {
			if err := c.ticket.Wait(ctx); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
