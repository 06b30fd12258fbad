package grid

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) { // it begins at a whole second
		for _, c := range []struct{ at, width, want time.Duration }{
			{-5 * ms, Width, -5 * ms},
			{0, Width, 0},
			{1, Width, 10 * ms},
			{10 * ms, Width, 10 * ms},
			{10*ms + 1, Width, 20 * ms},
			{11 * ms, 5 * ms, 15 * ms},
			{11 * ms, 7 * ms, 15 * ms},
			{11 * ms, 3 * ms, 12500 * time.Microsecond},
			{11 * ms, time.Hour, 40 * ms},
			{11 * ms, 39 * ms, 20 * ms},
			{11 * ms, 0, 11 * ms},
		} {
			if got := UntilFine(time.Now().Add(c.at), c.width); got != c.want {
				t.Errorf("in %v, lines of %v: %v, not %v", c.at, c.width, got, c.want)
			}
		}
		time.Sleep(3 * ms)
		if got := Until(time.Now().Add(8 * ms)); got != 17*ms {
			t.Errorf("3 ms after a line, in 8 ms: %v, not 17 ms", got)
		}
	})
}

func TestUntilNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ after, width, want time.Duration }{
			{0, Slow, Slow}, {1, Slow, Slow - 1}, {Slow - 1, Slow, 1}, {Slow, Slow, Slow}, {Slow, 0, 0},
		} {
			began := time.Now()
			time.Sleep(c.after)
			if got := UntilNext(c.width); got != c.want {
				t.Errorf("%v after a line of %v: %v, not %v", c.after, c.width, got, c.want)
			}
			time.Sleep(2*Slow - time.Since(began)) // on a line again
		}
	})
}

// Whatever the moment, it is never woken before it, and never more than a line later.
func FuzzUntil(f *testing.F) {
	f.Add(int64(1), int64(1))
	f.Fuzz(func(t *testing.T, in, width int64) {
		synctest.Test(t, func(t *testing.T) {
			in, width := time.Duration(in%int64(time.Hour)), time.Duration(width%int64(time.Second))
			if got := UntilFine(time.Now().Add(in), width); got < in || got > in+min(Widest, max(width, 0)) {
				t.Errorf("in %v, lines of %v: %v", in, width, got)
			}
		})
	})
}
