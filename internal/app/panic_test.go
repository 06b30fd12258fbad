package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// A keeper or a log that ended for good would leave a live process that never pays again.
func TestWhatPanicsBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{logger: zerolog.Nop()}
		ctx, stop := context.WithCancel(context.Background())
		var group sync.WaitGroup
		var runs atomic.Int32
		a.supervise(ctx, &group, "keeper", func() {
			if runs.Add(1) < 3 {
				panic("boom")
			}
			<-ctx.Done()
		})
		time.Sleep(10 * time.Second)
		if runs.Load() != 3 {
			t.Errorf("it ran %d times", runs.Load())
		}
		stop()
		group.Wait()
		if runs.Load() != 3 {
			t.Errorf("it ran %d times, also after the end", runs.Load())
		}
	})
}

// What can't begin anew makes the process sick.
func TestALoopThatPanickedAsksForARestart(t *testing.T) {
	a := &App{logger: zerolog.Nop(), options: Options{Registry: prometheus.NewRegistry()}}
	status := func() int {
		w := httptest.NewRecorder()
		a.admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return w.Code
	}
	var group sync.WaitGroup
	a.launch(&group, "loop", func() {})
	group.Wait()
	if got := status(); got != http.StatusOK {
		t.Errorf("status %d after an end", got)
	}
	a.launch(&group, "loop", func() { panic("boom") })
	group.Wait()
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d after a panic", got)
	}
}
