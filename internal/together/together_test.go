package together

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// Each caller gets the answer to its own call, and its own error. Nothing runs twice.
func TestEachCallerGetsItsOwnAnswer(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		const callers, calls = 50, 20
		together(callers, func(i int) {
			for n := range calls {
				word := fmt.Sprintf("%d-%d", i, n)
				if (i+n)%7 == 0 {
					if _, err := say(t.Context(), s, "ERROR", "EPOCH "+word); err == nil || err.Error() != "EPOCH "+word {
						t.Errorf("%s failed with %v", word, err)
					}
				} else if said, err := say(t.Context(), s, word); err != nil || said != word {
					t.Errorf("%s was answered %q, %v", word, said, err)
				}
			}
		})
		if l.runs(t) != strconv.Itoa(callers*calls) || l.writes.Load() > callers*calls/10 {
			t.Errorf("the script ran %s times in %d round trips", l.runs(t), l.writes.Load())
		}
	})
}

// A call by itself waits for nothing but its answer. What is called meanwhile leaves together as
// soon as that is here.
func TestWhatIsCalledMeanwhileLeavesTogether(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		began := time.Now()
		occupy(t, s)()
		if l.writes.Load() != 1 || time.Since(began) != onTheWay {
			t.Errorf("a lone call took %d round trips and %v", l.writes.Load(), time.Since(began))
		}
		wait := occupy(t, s)
		together(10, func(int) {
			if _, err := say(t.Context(), s, "second"); err != nil {
				t.Error(err)
			}
		})
		wait()
		if l.writes.Load() != 3 || time.Since(began) != 3*onTheWay {
			t.Errorf("10 calls beside another one took %d round trips in all, and %v", l.writes.Load(), time.Since(began))
		}
	})
}

// A pipeline has no more calls, and no more bytes, than are allowed. A large call goes alone, and
// so waits for nothing.
func TestPipelinesAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		callers, size int
		trips         int64
	}{
		"calls": {mostCalls + 1, 1, 2}, "bytes": {9, mostBytes / 8, 2}, "large": {5, largeCall, 10}, // a large text is a write of its own
	} {
		t.Run(name, func(t *testing.T) {
			onALine(t, func(t *testing.T, s *Scripts, l *line) {
				wait, word := occupy(t, s), strings.Repeat("x", c.size)
				before := l.writes.Load()
				together(c.callers, func(int) {
					if said, err := say(t.Context(), s, word); err != nil || said != word {
						t.Errorf("%d bytes came back: %v", len(said), err)
					}
				})
				wait()
				if trips := l.writes.Load() - before; trips != c.trips {
					t.Errorf("%d round trips", trips)
				}
			})
		})
	}
}

// A script that the server doesn't know is sent by whoever called it. The others have their answers.
func TestAScriptThatTheServerForgot(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		wait := occupy(t, s)
		unknown := redis.NewScript(`return 'unknown ' .. ARGV[1]`)
		together(10, func(i int) {
			word := strconv.Itoa(i)
			if i%2 == 0 {
				if said, err := unknown.Run(t.Context(), s, []string{"runs"}, word).Text(); err != nil || said != "unknown "+word {
					t.Errorf("%q, %v", said, err)
				}
			} else if said, err := say(t.Context(), s, word); err != nil || said != word {
				t.Errorf("%q, %v", said, err)
			}
		})
		wait()
	})
}

// Who waits leaves at the end of its context, and its call is never sent.
func TestWhoWaitsLeaves(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		wait := occupy(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		together(3, func(i int) {
			switch i {
			case 0:
				if _, err := say(ctx, s, "gone"); !errors.Is(err, context.Canceled) || time.Since(began) != onTheWay/2 {
					t.Errorf("left after %v: %v", time.Since(began), err)
				}
			case 1:
				if said, err := say(t.Context(), s, "stays"); err != nil || said != "stays" {
					t.Errorf("%q, %v", said, err)
				}
			case 2:
				time.Sleep(onTheWay / 2)
				cancel()
			}
		})
		wait()
		if l.runs(t) != "2" {
			t.Errorf("%s calls were sent", l.runs(t))
		}
	})
}

// What is in flight may have been done. So its caller waits for the answer even if nobody wants it
// any more, but not past a deadline.
func TestWhoIsUnderWayWaitsForItsAnswer(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		wait := occupy(t, s)
		cancelled, cancel := context.WithCancel(t.Context())
		late, end := context.WithTimeout(t.Context(), 3*onTheWay/2)
		defer end()
		began := time.Now()
		together(3, func(i int) {
			switch i {
			case 0:
				if said, err := say(cancelled, s, "done"); err != nil || said != "done" {
					t.Errorf("%q, %v", said, err)
				}
			case 1:
				if _, err := say(late, s, "late"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*onTheWay/2 {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			case 2:
				time.Sleep(3 * onTheWay / 2)
				cancel()
			}
		})
		wait()
	})
}

// Close waits for what is in flight. What comes later fails as the client does.
func TestClose(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		errs := make(chan error, 11)
		for range cap(errs) {
			go func() {
				_, err := say(t.Context(), s, "x")
				errs <- err
			}()
		}
		synctest.Wait()
		if err := s.client.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil || len(s.queues) != 0 {
			t.Errorf("%d queues are left: %v", len(s.queues), err)
		}
		for range cap(errs) {
			if err := <-errs; err == nil {
				t.Error("answered by a closed client")
			}
		}
		if _, err := say(t.Context(), s, "x"); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("called after the end: %v", err)
		}
	})
}

// Callers that wake at the same moment share a round trip, though nothing is in flight.
func TestWhoWakesTogetherLeavesTogether(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		const callers = 10
		began := time.Now()
		together(callers, func(i int) {
			word := strconv.Itoa(i)
			if said, err := say(t.Context(), s, word); err != nil || said != word {
				t.Errorf("%s was answered %q, %v", word, said, err)
			}
		})
		// With several processors the first one may be on its way before the others have woken.
		if trips := l.writes.Load(); trips > 2 || l.runs(t) != strconv.Itoa(callers) {
			t.Errorf("%d round trips in %v, the script ran %s times", trips, time.Since(began), l.runs(t))
		}
	})
}
