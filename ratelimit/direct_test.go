package ratelimit

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// A slow merchant's moments may be used long after. So Take grants them itself, with one request,
// and asks again when there are more.
func TestSlowMerchantsAreGrantedDirectly(t *testing.T) {
	inFleet(t, Rate{5, 5}, func(f *fleet) {
		ctx, l := context.Background(), f.among()
		before := f.redis.CommandCount()
		tickets, _, err := l.Take(ctx, 128)
		if err != nil || len(tickets) < 3 || !tickets[0].granted {
			t.Fatal(tickets, err)
		}
		if n := f.redis.CommandCount() - before; n > 11 {
			t.Errorf("%d commands for a grant", n)
		}
		before = f.redis.CommandCount()
		none, wait, err := l.Take(ctx, 128)
		if err != nil || len(none) > 0 || wait < 200*time.Millisecond || wait > 600*time.Millisecond {
			t.Fatal(none, wait, err)
		}
		if n := f.redis.CommandCount() - before; n > 0 {
			t.Errorf("%d commands before more can be granted", n)
		}
		time.Sleep(wait)
		if tickets, _, err = l.Take(ctx, 128); err != nil || len(tickets) != 3 {
			t.Error(len(tickets), err)
		}
	})
}

// Calls that are given up cost nothing: their moments are granted again.
func TestDirectMomentsThatAreReturned(t *testing.T) {
	inFleet(t, Rate{5, 5}, func(f *fleet) {
		const d = time.Minute // two or three moments are lost at its ends
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		for range 2 {
			l := f.limiter()
			f.group.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					tickets, wait, err := l.Take(ctx, 3)
					if err != nil || len(tickets) == 0 && sleep(ctx, max(wait, 20*time.Millisecond)) != nil {
						return
					}
					if len(tickets) > 0 && i%3 == 0 { // the lease found fewer
						tickets[len(tickets)-1].Return()
						tickets = tickets[:len(tickets)-1]
					}
					for i := range tickets {
						if tickets[i].Wait(ctx) == nil {
							f.called()
						}
					}
				}
			})
		}
		f.group.Wait()
		f.keptRate()
		f.used(0.99, d)
	})
}

// An instance that gets nothing asks more and more rarely, until it gets something.
func TestWhoIsDeniedAsksRarely(t *testing.T) {
	inFleet(t, Rate{5, 5}, func(f *fleet) {
		ctx, one, two := context.Background(), f.among(), f.limiter()
		two.Begin(ctx)
		asked := 0
		for range 60 {
			if _, _, err := one.grantTickets(ctx, 128, one.agreed().ahead(), 0); err != nil {
				t.Fatal(err)
			}
			before := f.redis.CommandCount()
			f.take(two, 1, 0)
			if f.redis.CommandCount() > before {
				asked++
			}
			time.Sleep(50 * time.Millisecond)
		}
		if asked > 11 {
			t.Errorf("it asked %d times in 3 s", asked)
		}
		time.Sleep(2 * mostBackoff)
		f.take(two, 1, 1)
		f.take(two, 1, 1)
	})
}

// Of instances that share a slow merchant mostly one works for it: it is granted several moments with a request.
// The others ask rarely.
func TestOneWorksForASlowMerchant(t *testing.T) {
	inFleet(t, Rate{5, 5}, func(f *fleet) {
		const d = time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		before, groups := f.redis.CommandCount(), 0
		for i := range 3 {
			l := f.limiter()
			f.group.Go(func() {
				for sleep(ctx, time.Duration(10+i)*time.Millisecond) == nil {
					tickets, wait, err := l.Take(ctx, 6)
					if err != nil || len(tickets) == 0 && sleep(ctx, wait) != nil {
						return
					}
					if len(tickets) > 0 {
						f.mu.Lock()
						groups++
						f.mu.Unlock()
					}
					for i := range tickets {
						f.group.Go(func() {
							if tickets[i].Wait(ctx) == nil {
								f.called()
							}
						})
					}
				}
			})
		}
		f.group.Wait()
		f.keptRate()
		f.used(0.99, d)
		calls := float64(len(f.calls))
		if commands, each := float64(f.redis.CommandCount()-before)/calls, float64(groups)/calls; commands > 6 || each > 0.5 {
			t.Errorf("%.1f commands and %.2f leases a call", commands, each)
		}
	})
}

// Instances that share a slow merchant use its rate, also after one of them is killed.
func TestASlowMerchantIsShared(t *testing.T) {
	for _, perSecond := range []float64{1, 5, 10} {
		t.Run(fmt.Sprintf("%v a second", perSecond), func(t *testing.T) {
			inFleet(t, Rate{perSecond, 5}, func(f *fleet) {
				const d = time.Minute
				ctx, cancel := context.WithTimeout(context.Background(), d)
				defer cancel()
				killed, kill := context.WithTimeout(context.Background(), d/2)
				defer kill()
				for i := range 3 {
					f.stalling([]context.Context{killed, ctx, ctx}[i], uint64(i), d)
				}
				f.group.Wait()
				f.keptRate()
				f.used(0.99, d)
				f.told()
			})
		})
	}
}
