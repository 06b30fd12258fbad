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

	take    = redis.NewScript(takeSource)
	reserve = redis.NewScript(reserveSource)
)

// granted is a moment of the shared schedule.
type granted struct {
	at    time.Time // by this process' clock
	redis float64   // as the schedule has it, in microseconds
}

// request is what a grant is asked for.
type request struct {
	n      int
	ahead  time.Duration // how far in the future at most
	way    time.Duration // from the grant to the call: what of the slack isn't for moments of the past
	ready  time.Duration // for so long has the first of the calls been
	unused []granted     // to give back, latest first
}

// grant asks the schedule for moments. If none is free it answers how long to wait before
// asking again.
func (l *Limiter) grant(ctx context.Context, q request) (moments []granted, wait time.Duration, err error) {
	wait, err = l.atPace(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		moments, wait, again, err = l.grantAt(ctx, q, r, seen)
		return again, wait, err
	})
	return moments, wait, err
}

// atPace asks Redis at the rate of now, and anew if that was made of a pace that isn't
// the fleet's any more.
func (l *Limiter) atPace(ask func(r Rate, seen string) (again bool, wait time.Duration, err error)) (wait time.Duration, err error) {
	for range paceTries {
		r, seen, rest := l.current()
		if rest > 0 {
			return rest, nil
		}
		again, wait, err := ask(r, seen)
		if !again {
			return wait, err
		}
	}
	return time.Millisecond, nil // somebody keeps changing the pace
}

func (l *Limiter) grantAt(ctx context.Context, q request, r Rate, seen string) (moments []granted, wait time.Duration, again bool, err error) {
	interval, agreed, n := r.interval(), l.agreed(), q.n // the promise is about what was agreed, however slow the pace
	if !l.knowsClock() {
		n = 0 // the first answer may have been long under way, and nobody would know
	}
	args := []any{micros(interval), n, micros(max(0, agreed.slack()-q.way)), micros(q.ahead), micros(horizon), micros(longestQueue), agreed.catchUp(), micros(q.ready), seen, l.Epoch(), micros(splitRest)}
	for _, u := range q.unused {
		args = append(args, strconv.FormatFloat(u.redis, 'f', 3, 64))
	}
	asked := time.Since(l.born)
	answer, err := take.Run(ctx, l.client, l.keys, args...).Slice()
	if err != nil {
		return nil, 0, false, fmt.Errorf("ratelimit: take %d of %s: %w", n, l.keys[0], err)
	}
	received := time.Since(l.born)
	now, first, count, shared, caught := float(answer, 0), float(answer, 1), int(float(answer, 2)), word(answer, 4), int(float(answer, 5))
	l.learn(now, l.born.Add(asked), l.born.Add(received), shared)
	c, sure := l.heardClock(asked, received, duration(now))
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
		moments = append(moments, granted{l.born.Add(c.ours(duration(now))), now})
	}
	for i := range count {
		at := first + float64(i)*float64(interval)/float64(time.Microsecond)
		moments = append(moments, granted{l.born.Add(c.ours(duration(at))), at})
	}
	return moments, 0, false, nil
}

// reserve asks how many calls may be made ready. Their tickets say when they may expect their
// moments. An instance makes no more ready than it could make calls in a bridge, nor any
// while its own have waited for long, whatever the queue of the others is.
func (l *Limiter) reserve(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	waiting, longest := l.waiting()
	n = min(n, int(math.Ceil(l.agreed().PerSecond*bridge.Seconds()))-waiting)
	if n <= 0 || longest > longestQueue {
		return nil, lookAgain, nil
	}
	wait, err = l.atPace(func(r Rate, seen string) (again bool, wait time.Duration, err error) {
		interval := time.Duration(float64(r.interval()) / spare)
		asked := time.Now()
		answer, err := reserve.Run(ctx, l.client, []string{l.keys[0] + ":ahead", l.keys[1], l.keys[2], l.keys[0]},
			micros(interval), n, micros(longestQueue), seen).Slice()
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
func (l *Limiter) heardClock(asked, received, redis time.Duration) (c clock, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = l.clock.heard(asked, received, redis)
	unknown := l.clock.unknown()
	if l.usual == 0 || unknown < l.usual {
		l.usual = max(unknown, 1)
	}
	sure = unknown <= l.usual+slowReply
	l.usual += l.usual/8 + 100*time.Microsecond
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
