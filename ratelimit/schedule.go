package ratelimit

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/take.lua
	takeSource string
	//go:embed lua/reserve.lua
	reserveSource string

	takeScript    = redis.NewScript(takeSource)
	reserveScript = redis.NewScript(reserveSource)
)

// grantedMoment is a moment that the shared schedule granted.
type grantedMoment struct {
	at       time.Time // on our clock
	redis    float64   // on Redis' clock, in microseconds; 0 = not known
	throttle string    // the throttle and the epoch that it was granted under
	epoch    int
	caught   bool // a catch-up: it isn't the schedule's latest
}

// holds tells whether a moment may still be used. After "too fast", a pause or a refusal the
// throttle is another one. In a new epoch the moments of the old one aren't known.
func (l *Limiter) holds(m grantedMoment) bool {
	epoch := l.Epoch()
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.throttle == l.seen.text && m.epoch == epoch
}

// request is what the schedule is asked for.
type request struct {
	n         int             // number of moments
	ahead     time.Duration   // how far in the future they may be; below 0: how old they must be
	callDelay time.Duration   // from the grant to the call: this part of the slack isn't used for past moments
	queueTime time.Duration   // how long a call would wait that becomes ready now
	unused    []grantedMoment // moments to give back, latest first
}

// grant requests moments from the schedule. If none is free, wait is the time until the next
// request.
func (l *Limiter) grant(ctx context.Context, q request) (moments []grantedMoment, wait time.Duration, err error) {
	wait, err = l.withThrottle(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		moments, wait, again, err = l.grantAt(ctx, q, r, seen)
		return again, wait, err
	})
	return moments, wait, err
}

// withThrottle makes a request at the present rate. It repeats the request if the rate was
// computed from an outdated throttle.
func (l *Limiter) withThrottle(ask func(r Rate, seen string) (again bool, wait time.Duration, err error)) (wait time.Duration, err error) {
	for range throttleTries {
		r, seen, pause := l.current()
		if pause > 0 {
			return pause, nil
		}
		again, wait, err := ask(r, seen)
		if !again {
			return wait, err
		}
	}
	return time.Millisecond, nil // other instances keep changing the throttle
}

// grantAt makes one request to take.lua. again tells that Redis has another throttle than the
// one in seen, and granted nothing.
func (l *Limiter) grantAt(ctx context.Context, q request, r Rate, seen string) (moments []grantedMoment, wait time.Duration, again bool, err error) {
	interval, agreed, n, epoch := r.interval(), l.agreed(), q.n, l.Epoch() // the promise is about the agreed rate, whatever the throttle
	if !l.knowsClock() {
		n = 0 // how long the first reply took in flight can't be known: it grants nothing
	}
	args := []any{micros(interval), n, micros(max(0, agreed.slack()-q.callDelay)), micros(q.ahead), micros(agreed.lostAhead()), micros(maxQueueTime), agreed.catchUp(), micros(q.queueTime), seen, epoch, micros(epochPause)}
	for _, u := range q.unused {
		if u.throttle == seen && u.epoch == epoch { // else it would be caught up on, and was stopped
			args = append(args, strconv.FormatFloat(u.redis, 'f', 3, 64))
		}
	}
	asked := time.Since(l.started)
	answer, err := takeScript.Run(ctx, l.client, l.keys, args...).Slice()
	if err != nil {
		return nil, 0, false, fmt.Errorf("ratelimit: take %d of %s: %w", n, l.keys[0], err)
	}
	received := time.Since(l.started)
	now, first, count, shared, caught := float(answer, 0), float(answer, 1), int(float(answer, 2)), word(answer, 4), int(float(answer, 5))
	l.learn(now, l.started.Add(asked), l.started.Add(received), shared)
	c, sure := l.updateClock(asked, received, duration(now))
	if shared != seen || n == 0 && q.n > 0 {
		return nil, 0, true, nil
	}
	l.Count(Granted, count+caught)
	if count+caught == 0 {
		return nil, max(time.Millisecond, duration(float(answer, 3))), false, nil
	}
	if !sure {
		l.Count(Late, count+caught)
		return nil, time.Millisecond, false, nil
	}
	for range caught {
		moments = append(moments, grantedMoment{l.started.Add(c.toLocal(duration(now))), now, seen, epoch, true})
	}
	for i := range count {
		at := first + float64(i)*float64(interval)/float64(time.Microsecond)
		moments = append(moments, grantedMoment{l.started.Add(c.toLocal(duration(at))), at, seen, epoch, false})
	}
	return moments, 0, false, nil
}

// reserve requests permission to make calls ready. The tickets' times are when their moments
// can be expected. An instance reserves a chunk at a time, and none while it has enough ready: then
// Redis isn't asked. Fewer than what the rate makes in leastSpan are reserved only if no more are
// wanted. Else instances that share a rate would come back for each single call.
func (l *Limiter) reserve(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	if n, wait = l.mayReserve(n); n <= 0 {
		return nil, wait, nil
	}
	wait, err = l.withThrottle(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		interval := time.Duration(float64(r.interval()) / readySurplus)
		least := min(n, max(1, int(r.PerSecond*leastSpan.Seconds())))
		asked := time.Now()
		answer, err := reserveScript.Run(ctx, l.client, []string{l.keys[0] + ":ahead", l.keys[1], l.keys[2], l.keys[0]},
			micros(interval), n, micros(maxQueueTime), seen, least).Slice()
		if err != nil {
			return false, 0, fmt.Errorf("ratelimit: reserve %d of %s: %w", n, l.keys[0], err)
		}
		received := time.Now()
		now, first, count, shared := float(answer, 0), float(answer, 1), int(float(answer, 2)), word(answer, 4)
		l.learn(now, asked, received, shared)
		if shared != seen {
			return true, 0, nil
		}
		if count == 0 {
			return false, max(time.Millisecond, duration(float(answer, 3))), nil
		}
		start, group := received.Add(duration(first-now)), l.prepare(count)
		for i := range count {
			tickets = append(tickets, Ticket{limiter: l, moment: grantedMoment{at: start.Add(time.Duration(i) * interval)}, prepared: group})
		}
		return false, 0, nil
	})
	return tickets, wait, err
}

// knowsClock tells whether Redis' clock was read before.
func (l *Limiter) knowsClock() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.known
}

// updateClock takes in Redis' time from a reply. sure tells whether moments can be placed: the
// uncertainty must not be much greater than usual. What is usual rises a little with each
// reply. So a Redis that stays slow is accepted after some tries.
func (l *Limiter) updateClock(asked, received, redis time.Duration) (c clockEstimate, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = l.clock.update(asked, received, redis)
	unknown := l.clock.uncertainty()
	if l.usualUncertainty == 0 || unknown < l.usualUncertainty {
		l.usualUncertainty = max(unknown, 1)
	}
	sure = unknown <= l.usualUncertainty+maxExtraUncertainty
	l.usualUncertainty += l.usualUncertainty/8 + 100*time.Microsecond
	return l.clock, sure
}

// micros writes a duration in microseconds, for a script.
func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
}

// duration converts microseconds.
func duration(micros float64) time.Duration { return time.Duration(micros * float64(time.Microsecond)) }

// float reads a number, integer or text, of a script's reply.
func float(answer []any, i int) float64 {
	if i >= len(answer) {
		return 0
	}
	switch v := answer[i].(type) {
	case int64:
		return float64(v)
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

// word reads a text of a script's reply.
func word(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	text, _ := answer[i].(string)
	return text
}
