package service

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// listening is a listener whose connection ends at the test.
func listening(l *live) (one *listener, far net.Conn) {
	near, far := net.Pipe()
	one = &listener{frames: make(chan []byte, mostFrames), conn: near}
	l.mu.Lock()
	l.listeners[one] = struct{}{}
	l.mu.Unlock()
	l.writers.Go(func() { l.write(one, []byte(again)) })
	return one, far
}

// Who reads nothing is dropped, with what was kept for it; the others get everything.
func TestASlowListenerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(&Service{metrics: newMetrics(prometheus.NewRegistry())})
		_, slow := listening(l)
		_, quick := listening(l)
		got := make(chan int)
		go func() {
			text, _ := io.ReadAll(quick)
			got <- len(text)
		}()
		text := []byte("event: held\ndata: {}\n\n")
		const frames = 2 * mostFrames
		for range frames {
			l.mu.Lock()
			l.tell(text)
			l.mu.Unlock()
			synctest.Wait()
		}
		var dropped dto.Metric
		if err := l.service.metrics.dropped.Write(&dropped); err != nil || dropped.Counter.GetValue() != 1 || l.count() != 1 {
			t.Errorf("%v are dropped, %d are left, %v", &dropped, l.count(), err)
		}
		if _, err := slow.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the slow one's connection: %v", err)
		}
		l.mu.Lock()
		for one := range l.listeners {
			l.end(one)
		}
		l.mu.Unlock()
		if n := <-got; n != len(again)+frames*len(text) {
			t.Errorf("the quick one got %d bytes", n)
		}
		l.writers.Wait()
	})
}

// One frame that isn't taken is enough: nobody holds a goroutine for longer than slowFor.
func TestAListenerThatTakesNothingIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive(&Service{metrics: newMetrics(prometheus.NewRegistry())})
		began := time.Now()
		_, far := listening(l)
		defer far.Close()
		l.writers.Wait()
		if took := time.Since(began); took != slowFor || l.count() != 0 {
			t.Errorf("after %v, %d are left", took, l.count())
		}
	})
}

func TestIDsOfEvents(t *testing.T) {
	for _, p := range []position{{}, {12, 34}, {1 << 62, 1 << 62}} {
		if read, is := positionOf(p.String()); !is || read != p {
			t.Errorf("%v: %v %v", p, read, is)
		}
	}
	for _, id := range []string{"", "-", "1", "1-", "-1", "1-2-3", "1--2", "a-b", "1-2\n", "99999999999999999999-1"} {
		if p, is := positionOf(id); is {
			t.Errorf("%q: %v", id, p)
		}
	}
}
