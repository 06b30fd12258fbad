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

// A connection that hangs holds up who is on it, and the others for as long as their patience lasts.
func TestAConnectionThatHangsHoldsUpNoOther(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		l.hang.Store(true)
		wait := occupy(t, s)
		began := time.Now()
		together(2*mostCalls, func(i int) {
			word := strconv.Itoa(i)
			if said, err := say(t.Context(), s, word); err != nil || said != word {
				t.Errorf("%s: %q, %v", word, said, err)
			}
		})
		if took := time.Since(began); took > 2*patience+2*onTheWay {
			t.Errorf("the others took %v", took)
		}
		wait()
		if time.Since(began) < time.Second {
			t.Error("nothing hung")
		}
	})
}

// Where a pipeline is lost with its connection, each caller calls again by itself. The answer is
// its own, and the script ran twice, as after a repeat by the client.
func TestALostPipeline(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		wait := occupy(t, s)
		go func() {
			time.Sleep(onTheWay + onTheWay/2) // now the pipeline is in flight
			l.cut.Store(1)
		}()
		together(10, func(i int) {
			word := strconv.Itoa(i)
			if said, err := say(t.Context(), s, word); err != nil || said != word {
				t.Errorf("%s: %q, %v", word, said, err)
			}
		})
		wait()
		if l.runs(t) != "21" {
			t.Errorf("the script ran %s times", l.runs(t))
		}
	})
}

// A network that stays away is told to each caller.
func TestEachCallerHearsOfTheNetwork(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		l.cut.Store(1 << 30)
		together(10, func(i int) {
			var answer redis.Error
			if said, err := say(t.Context(), s, strconv.Itoa(i)); err == nil || errors.As(err, &answer) || errors.Is(err, errUnanswered) {
				t.Errorf("%q, %v", said, err)
			}
		})
	})
}

// Where no connection can be made, no caller takes silence for an answer.
func TestNoConnectionIsNoAnswer(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		l.server.RequireAuth("right")
		o := optionsTo(l)
		o.Password = "wrong"
		refused := New(redis.NewClient(o))
		defer closeAll(t, refused)
		together(10, func(i int) {
			if said, err := say(t.Context(), refused, strconv.Itoa(i)); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
				t.Errorf("%q, %v", said, err)
			}
		})
	})
}

// What the client tries again is tried again by each caller; what is an answer is one.
func TestWhatIsAnAnswer(t *testing.T) {
	passing := []string{
		"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.", "CLUSTERDOWN The cluster is down",
		"TRYAGAIN Multiple keys request during rehashing of slot", "MASTERDOWN Link with MASTER is down", "ERR max number of clients reached",
		"NOREPLICAS Not enough good replicas to write.",
	}
	for _, says := range passing {
		t.Run(says, func(t *testing.T) {
			onALine(t, func(t *testing.T, s *Scripts, l *line) {
				wait := occupy(t, s)
				l.server.SetError(says)
				go func() {
					time.Sleep(2*onTheWay + time.Millisecond) // after the pipeline, before its callers have given up
					l.server.SetError("")
				}()
				together(5, func(i int) {
					word := strconv.Itoa(i)
					if said, err := say(t.Context(), s, word); err != nil || said != word {
						t.Errorf("%s: %q, %v", word, said, err)
					}
				})
				wait()
			})
		})
	}
	for _, says := range []string{"OOM command not allowed when used memory > 'maxmemory'.", "EPOCH is over", "NOPERM no", "MISCONF no"} {
		t.Run(says, func(t *testing.T) {
			onALine(t, func(t *testing.T, s *Scripts, l *line) {
				wait := occupy(t, s)
				wait()
				l.server.SetError(says)
				before := l.writes.Load()
				together(6, func(i int) {
					if _, err := say(t.Context(), s, strconv.Itoa(i)); err == nil || err.Error() != says {
						t.Errorf("%v", err)
					}
				})
				if trips := l.writes.Load() - before; trips > 2 {
					t.Errorf("%d round trips", trips)
				}
			})
		})
	}
}

type panicking struct{}

// MarshalBinary panics.
func (panicking) MarshalBinary() ([]byte, error) { panic("panicking") }

// A call that panics, or can't be written at all, ends so for its own caller. The others are
// answered.
func TestABadCallHoldsUpNoOther(t *testing.T) {
	for name, bad := range map[string]any{"panics": panicking{}, "can't be written": struct{ a int }{1}} {
		t.Run(name, func(t *testing.T) {
			onALine(t, func(t *testing.T, s *Scripts, l *line) {
				wait := occupy(t, s)
				together(10, func(i int) {
					if i == 3 {
						if _, err := sayOrPanic(t.Context(), s, bad); err == nil {
							t.Error("no error")
						}
						return
					}
					word := strconv.Itoa(i)
					if said, err := say(t.Context(), s, word); err != nil || said != word {
						t.Errorf("%s: %q, %v", word, said, err)
					}
				})
				wait()
				if said, err := say(t.Context(), s, "after"); err != nil || said != "after" {
					t.Errorf("%q, %v", said, err)
				}
			})
		})
	}
}

func sayOrPanic(ctx context.Context, s *Scripts, word any) (said string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return say(ctx, s, word)
}

// A caller that panics by itself holds up nobody either.
func TestALoneCallThatPanics(t *testing.T) {
	onALine(t, func(t *testing.T, s *Scripts, l *line) {
		if _, err := sayOrPanic(t.Context(), s, panicking{}); err == nil {
			t.Error("no panic")
		}
		if said, err := say(t.Context(), s, "after"); err != nil || said != "after" {
			t.Errorf("%q, %v", said, err)
		}
		synctest.Wait()
		if len(s.queues) != 0 {
			t.Error("a round trip counts for ever")
		}
	})
}
