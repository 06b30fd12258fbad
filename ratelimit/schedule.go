package ratelimit

import (
	"context"
	_ "embed"
	"fmt"
	"math"
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

// granted is a moment of the shared schedule.
type grantedMoment struct {
	at    time.Time // by this process' clock
	redis float64   // as the schedule has it, in microseconds
}

// request is what a grant is asked for.
type request struct {
	n         int
	ahead     time.Duration   // how far in the future at most
	callDelay time.Duration   // from the grant to the call: what of the slack isn't for moments of the past
	readyFor  time.Duration   // for so long has the first of the calls been
	unused    []grantedMoment // to give back, latest first
}

// grant asks the schedule for moments. If none is free it answers how long to wait before
// asking again.
func (l *Limiter) grant(ctx context.Context, q request) (moments []grantedMoment, wait time.Duration, err error) {
	wait, err = l.withThrottle(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		moments, wait, again, err = l.grantAt(ctx, q, r, seen)
		return again, wait, err
	})
	return moments, wait, err
}

// atPace asks Redis at the rate of now, and anew if that was made of a pace that isn't
// the fleet's any more.
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
	return time.Millisecond, nil // somebody keeps changing the pace
}

func (l *Limiter) grantAt(ctx context.Context, q request, r Rate, seen string) (moments []grantedMoment, wait time.Duration, again bool, err error) {
	interval, agreed, n := r.interval(), l.agreed(), q.n // the promise is about what was agreed, however slow the pace
	if !l.knowsClock() {
		n = 0 // the first answer may have been long under way, and nobody would know
	}
	args := []any{micros(interval), n, micros(max(0, agreed.slack()-q.callDelay)), micros(q.ahead), micros(takeAhead), micros(maxQueueTime), agreed.catchUp(), micros(q.readyFor), seen, l.Epoch(), micros(epochPause)}
	for _, u := range q.unused {
		args = append(args, strconv.FormatFloat(u.redis, 'f', 3, 64))
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
		moments = append(moments, grantedMoment{l.started.Add(c.toLocal(duration(now))), now})
	}
	for i := range count {
		at := first + float64(i)*float64(interval)/float64(time.Microsecond)
		moments = append(moments, grantedMoment{l.started.Add(c.toLocal(duration(at))), at})
	}
	return moments, 0, false, nil
}

// reserve asks how many calls may be made ready. Their tickets say when they may expect their
// moments. An instance makes no more ready than it could make calls in a bridge, nor any
// while its own have waited for long, whatever the queue of the others is.
func (l *Limiter) reserve(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	waiting, longest := l.queueLength()
	n = min(n, int(math.Ceil(l.agreed().PerSecond*readySpan.Seconds()))-waiting)
	if n <= 0 || longest > maxQueueTime {
		return nil, minRequestGap, nil
	}
	wait, err = l.withThrottle(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		interval := time.Duration(float64(r.interval()) / readySurplus)
		asked := time.Now()
		answer, err := reserveScript.Run(ctx, l.client, []string{l.keys[0] + ":ahead", l.keys[1], l.keys[2], l.keys[0]},
			micros(interval), n, micros(maxQueueTime), seen).Slice()
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
		start := received.Add(duration(first - now))
		for i := range count {
			tickets = append(tickets, Ticket{limiter: l, at: start.Add(time.Duration(i) * interval)})
		}
		return false, 0, nil
	})
	return tickets, wait, err
}

func (l *Limiter) knowsClock() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.known
}

// heardClock takes in Redis' clock, and tells whether moments can be placed by it: what
// isn't known of it must not be much more than usual. What is usual follows: a Redis that
// has become slow for good is believed again after some tries.
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

func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
}

func duration(micros float64) time.Duration { return time.Duration(micros * float64(time.Microsecond)) }

// float reads one number of the script's answer, integer or text.
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

// word reads one text of the script's answer.
func word(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	text, _ := answer[i].(string)
	return text
}
