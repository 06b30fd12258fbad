package paypro

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestSeal(t *testing.T) {
	for _, test := range []struct {
		name   string
		do     func(k *call)
		unsent bool
	}{
		{"nothing happened", func(*call) {}, true},
		{"a write is under way", func(k *call) { _ = k.begin() }, false},
		{"a write ended with nothing", func(k *call) { _ = k.begin(); k.end(0, nil) }, true},
		{"a byte left", func(k *call) { _ = k.begin(); k.end(1, nil) }, false},
		{"a byte left, then a write with nothing", func(k *call) { _ = k.begin(); k.end(1, nil); _ = k.begin(); k.end(0, nil) }, false},
		{"a count that can't be", func(k *call) { _ = k.begin(); k.end(-1, nil) }, false},
		{"a connection that isn't watched", func(k *call) { k.servedBy(&net.TCPConn{}) }, false},
	} {
		k := newCall(time.Time{})
		test.do(k)
		if got := k.seal(); got != test.unsent {
			t.Errorf("%s: unsent %v", test.name, got)
		}
		if err := k.begin(); !errors.Is(err, errSealed) {
			t.Errorf("%s: a write after the seal: %v", test.name, err)
		}
	}
}

func TestAnswerable(t *testing.T) {
	handed := func(k *call) { k.change(func() { k.handed = true }) }
	for _, test := range []struct {
		name string
		do   func(k *call)
		want bool
	}{
		{"written, then answered", func(k *call) { handed(k); _ = k.begin(); k.end(9, nil); k.answered() }, true},
		{"answered while the writer is about to say so", func(k *call) { handed(k); _ = k.begin(); k.answered(); k.end(9, nil) }, true},
		{"answered before the first byte", func(k *call) { k.answered(); handed(k); _ = k.begin(); k.end(9, nil) }, false},
		{"never handed over", func(k *call) { _ = k.begin(); k.end(9, nil); k.answered() }, false},
		{"still writing", func(k *call) { handed(k); _ = k.begin(); k.answered() }, false},
		{"half written", func(k *call) { handed(k); _ = k.begin(); k.end(5, errors.New("reset")); k.answered() }, false},
		{"nothing written", func(k *call) { handed(k) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newCall(time.Time{})
			test.do(k)
			if got := k.answerable(t.Context()); got != test.want {
				t.Errorf("%s: %v", test.name, got)
			}
		})
	}
}

// skewed moves a time's monotonic reading only, as if the two clocks had parted:
// a suspended machine stops the monotonic one, and the wall clock can be set.
func skewed(t time.Time, monotonic time.Duration) time.Time {
	words := (*[2]int64)(unsafe.Pointer(&t)) // wall and ext, see the comments in package time
	words[1] += int64(monotonic)
	return t
}

func TestPassed(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name   string
		latest time.Time
		want   bool
	}{
		{"no limit", time.Time{}, false},
		{"both clocks say no", now.Add(time.Minute), false},
		{"both say yes", now.Add(-time.Minute), true},
		{"the machine slept: the wall clock is past it, the monotonic one is not", skewed(now.Add(-time.Minute), time.Hour), true},
		{"the wall clock was set back: only the monotonic one is past it", skewed(now.Add(time.Minute), -time.Hour), true},
		{"the wall clock alone says no", now.Add(time.Minute).Round(0), false},
		{"the wall clock alone says yes", now.Add(-time.Minute).Round(0), true},
	} {
		if got := passed(test.latest); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
