package paysim

import (
	"math"
	"time"
)

// kind separates the draws: changing one never changes another.
type kind byte

const (
	drawFate kind = iota + 1
	drawAtOnce
	drawSettle
	drawFault
	drawExecuted // whether an outer 5000 or a hang executed, and whether a 00032 paid
	drawQueryFault
	drawPartialFirst
	drawLatency
	drawNumber // the provider's own numbers
)

// random makes one merchant's draws. It is the hash of the seed and the merchantNo.
type random uint64

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func newRandom(seed uint64, merchantNo string) random {
	return random(fnv(mix(seed+fnvOffset), merchantNo))
}

// draw returns a number in [0, 1) that depends on its arguments only.
func (d random) draw(k kind, tradeNo string, attempt int) float64 {
	return float64(d.hash(k, tradeNo, attempt)>>11) / (1 << 53)
}

func (d random) hash(k kind, tradeNo string, attempt int) uint64 {
	return mix(fnv(uint64(d), tradeNo) + uint64(k)<<56 + uint64(attempt))
}

func fnv(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return mix(h)
}

// mix is the finalizer of splitmix64. Without it similar tradeNos would have similar draws.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// pick chooses by fractions: it lays them end to end on [0, 1) and returns the number of the
// one that u is in. The first is 1; 0 means none. So each fraction is exact, and at most one
// fault happens.
func pick(u float64, fractions ...float64) int {
	for i, f := range fractions {
		if u < f {
			return i + 1
		}
		u -= f
	}
	return 0
}

// uniform spreads u evenly between two times.
func uniform(u float64, lowest, highest time.Duration) time.Duration {
	if highest <= lowest {
		return lowest
	}
	return lowest + time.Duration(u*float64(highest-lowest))
}

// settleDelay spreads u log-uniformly between two times, as waiting times usually are: most are
// short, a few very long.
func settleDelay(u float64, lowest, highest time.Duration) time.Duration {
	if lowest <= 0 || highest <= lowest {
		return uniform(u, lowest, highest)
	}
	ratio := float64(highest) / float64(lowest)
	return time.Duration(float64(lowest) * math.Pow(ratio, u))
}

// fate is how a tradeNo ends.
type fate int

const (
	fatePaid fate = iota
	fateFailed
	fatePartial
	fateLimited
	fateUnknown
	fateRefused
	fateFailedAtOnce
	fateVanished
)

func (d random) fate(b *Behavior, tradeNo string) fate {
	return fate(pick(d.draw(drawFate, tradeNo, 0),
		b.Failed, b.Partial, b.Limited, b.Unknown, b.Refused, b.FailedAtOnce, b.Vanished))
}

// fault is what goes wrong with one call.
type fault int

const (
	noFault fault = iota
	faultEarlyError
	faultLateError
	faultLost
	fault5000
	faultGarbled
	faultHang
)

func (d random) placementFault(b *Behavior, tradeNo string, attempt int) fault {
	return fault(pick(d.draw(drawFault, tradeNo, attempt),
		b.EarlyError, b.LateError, b.LostReply, b.Outer5000, b.Garbled, b.Hang))
}

func (d random) queryFault(b *Behavior, tradeNo string, attempt int) fault {
	return fault(pick(d.draw(drawQueryFault, tradeNo, attempt),
		0, b.QueryError, b.QueryLost, b.Query5000, b.QueryGarbled, b.QueryHang))
}
