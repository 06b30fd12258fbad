package app

import (
	"context"
	"time"

	"disburser/disburse"
	"disburser/ratelimit"
)

// tickets makes of a limiter what disburse wants of one: the packages don't know each other.
type tickets struct{ *ratelimit.Limiter }

// Take answers the limiter's tickets.
func (l tickets) Take(ctx context.Context, n int) ([]disburse.Ticket, time.Duration, error) {
	taken, wait, err := l.Limiter.Take(ctx, n)
	return ticketsOf(taken), wait, err
}

// TakeNow answers the limiter's tickets for calls that leave right away.
func (l tickets) TakeNow(ctx context.Context, n int) ([]disburse.Ticket, time.Duration, error) {
	taken, wait, err := l.Limiter.TakeNow(ctx, n)
	return ticketsOf(taken), wait, err
}

func ticketsOf(taken []ratelimit.Ticket) []disburse.Ticket {
	all := make([]disburse.Ticket, len(taken))
	for i := range taken {
		all[i] = &taken[i]
	}
	return all
}

// beginning is how many schedules are begun at a time. Each takes a round trip, and a thousand
// merchants have two thousand schedules.
const beginning = 8

// beginSchedules begins the schedules while there is no epoch yet, and again in each new one. A schedule
// that nobody has used, or that has to rest, grants nothing at first. Meanwhile the epoch is joined and the
// first commands are read.
func (a *App) beginSchedules(ctx context.Context) {
	limiters := make(chan *ratelimit.Limiter)
	for range beginning {
		a.launch(&a.begun, "rates", func() {
			for l := range limiters {
				l.Begin(ctx)
			}
		})
	}
	a.launch(&a.begun, "rates", func() {
		defer close(limiters)
		for _, l := range a.merchants.limiters() {
			select {
			case limiters <- l:
			case <-ctx.Done():
				return
			}
		}
	})
}

// logRateChange says once for each change of direction what the provider's "too fast" did.
func (a *App) logRateChange(merchant, operation string, change ratelimit.RateChange) {
	event, text := a.logger.Warn(), "the provider says that it is called too often: the fleet calls more slowly"
	switch change.To {
	case ratelimit.Paused:
		event, text = event.Dur("for", change.Pause), "the provider asks to be left alone (Retry-After): nothing is called until then"
	case ratelimit.Faster:
		event, text = a.logger.Info(), "the provider has not complained for a while: the fleet calls a little faster again"
	case ratelimit.Agreed:
		event, text = a.logger.Info(), "the fleet calls as fast as is configured again"
	case ratelimit.Refused:
		event = a.logger.Error().Dur("for", change.Pause)
		text = "the provider refuses one send after the other (an empty account? a revoked key?): all sends of the merchant rest, then one payout of the whole fleet tries whether it is over"
	case ratelimit.Accepted:
		event, text = a.logger.Info(), "the provider has taken a send again: all sends of the merchant go on"
	case ratelimit.Forgotten:
		event, text = a.logger.Info(), "it is not known any more that the provider refuses sends (nothing was sent for long, or Redis was wiped): all sends of the merchant go on"
	case ratelimit.Slower:
	}
	if change.Rate > 0 {
		event = event.Float64("rate", change.Rate)
	}
	event.Str("merchant", merchant).Str("operation", operation).Msg(text)
}
