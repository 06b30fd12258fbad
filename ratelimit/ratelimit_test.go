package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/goleak"

	"disburser/internal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a Redis and the limiters of several instances, in virtual time.
type fleet struct {
	t      *testing.T
	redis  *embedded.Redis
	client *redis.Client
	rate   Rate
	epoch  func() int   // of the limiters that are made from now on; nil = none
	slow   atomic.Int64 // how late the next answer of Redis is read, once

	mu      sync.Mutex
	calls   []time.Time
	count   map[string]int
	changes []RateChange
	group   sync.WaitGroup
}

func inFleet(t *testing.T, r Rate, test func(f *fleet)) {
	t.Helper()
	if os.Getenv("DISBURSER_REDIS") != "" {
		t.Skip("a real redis-server knows no virtual time: make test runs it")
	}
	synctest.Test(t, func(t *testing.T) {
		server, err := embedded.NewRedis()
		if err != nil {
			t.Fatal(err)
		}
		f := &fleet{t: t, redis: server, rate: r, count: map[string]int{}}
		f.client = f.connect(1)
		defer func() {
			f.group.Wait()
			_ = f.client.Close()
			server.Close()
			time.Sleep(time.Second) // what still asks for moments notices, however slow its machine
		}()
		test(f)
	})
}

func (f *fleet) connect(retries int) *redis.Client {
	server := f.redis
	return redis.NewClient(&redis.Options{
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := server.Dial(ctx, network, address)
			return &lateConn{c, &f.slow}, err
		},
		MaxRetries: retries, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// lateConn delays replies as configured.
type lateConn struct {
	net.Conn
	late *atomic.Int64
}

func (c *lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	time.Sleep(time.Duration(c.late.Swap(0)))
	return n, err
}

func (f *fleet) limiter() *Limiter {
	return f.limiterOn(f.client)
}

func (f *fleet) limiterOn(client *redis.Client) *Limiter {
	return New(client, Options{
		Namespace: "test", Name: "eg:send", Rate: f.rate, MaxPause: time.Minute, Epoch: f.epoch,
		Count: func(outcome string, n int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.count[outcome] += n
		},
		OnChange: func(change RateChange) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.changes = append(f.changes, change)
		},
	})
}

func (f *fleet) counted(outcome string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[outcome]
}

// instance makes calls from an endless backlog, as the loop of disburse does, until ctx ends.
func (f *fleet) instance(ctx context.Context) {
	l := f.limiter()
	f.group.Go(func() {
		for ctx.Err() == nil {
			tickets, wait, err := l.Take(ctx, 128)
			if err != nil {
				if ctx.Err() == nil {
					f.t.Error(err)
				}
				return
			}
			if len(tickets) == 0 && sleep(ctx, max(wait, 20*time.Millisecond)) != nil { // the loop looks no oftener
				return
			}
			for i := range tickets {
				if tickets[i].Wait(ctx) != nil {
					return
				}
				f.called()
			}
		}
	})
}

func (f *fleet) called() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, time.Now())
}

// run lets n instances make calls for d.
func (f *fleet) run(n int, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for range n {
		f.instance(ctx)
	}
	f.group.Wait()
}

// busiest is the largest number of calls in any second.
func busiest(calls []time.Time) int {
	slices.SortFunc(calls, time.Time.Compare)
	most, from := 0, 0
	for i, c := range calls {
		for c.Sub(calls[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// long leaves a case to make test-long: it has larger numbers, and covers no other code than the
// cases that make test runs.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("make test-long runs it")
	}
}

func (f *fleet) keptRate() {
	f.t.Helper()
	if most, bound := busiest(f.calls), 1.02*f.rate.PerSecond+float64(f.rate.Burst); float64(most) > bound {
		f.t.Errorf("the busiest second had %d calls, promised are at most %v", most, bound)
	}
}

func (f *fleet) used(share float64, d time.Duration) {
	f.t.Helper()
	want := share*f.rate.PerSecond*(d-mostAhead).Seconds() - 1 // the ends of d fall between two moments, and the first is a horizon away
	if float64(len(f.calls)) < want {
		f.t.Errorf("%d calls in %v, want at least %v", len(f.calls), d, want)
	}
}

func TestAFleetKeepsTheRateAndUsesIt(t *testing.T) {
	for _, perSecond := range []float64{0.5, 1, 50, 200, 5000} {
		for _, burst := range []int{1, 5, 100} {
			for _, n := range []int{1, 3, 20} {
				if burst != 5 && n != 3 { // a minute's work more, and no other way through the code
					continue
				}
				t.Run(fmt.Sprintf("%v a second, burst %d, %d instances", perSecond, burst, n), func(t *testing.T) {
					if perSecond > 50 || n > 3 {
						long(t)
					}
					inFleet(t, Rate{perSecond, burst}, func(f *fleet) {
						d := 30 * time.Second
						switch { // many thousand looks of many instances
						case perSecond == 5000:
							d = 2 * time.Second
						case perSecond >= 50 && n == 20 && burst != 5:
							d = 4 * time.Second
						case perSecond >= 50 && n == 20:
							d = 10 * time.Second
						}
						f.run(n, d)
						f.keptRate()
						f.used(0.99, d)
					})
				})
			}
		}
	}
}

func TestInstancesJoinAndLeave(t *testing.T) {
	perSecond, instances := 200., 20
	if testing.Short() {
		perSecond, instances = 50, 6
	}
	inFleet(t, Rate{perSecond, 5}, func(f *fleet) {
		for i := range instances {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(7+i%5)*time.Second)
			defer cancel()
			f.instance(ctx)
			time.Sleep(time.Second)
		}
		f.group.Wait()
		f.keptRate()
		f.used(0.99, time.Duration(instances+6)*time.Second)
	})
}

func TestNoBurstAfterAPause(t *testing.T) {
	for _, pause := range []time.Duration{50 * time.Millisecond, 3 * time.Second, 10 * time.Minute} {
		inFleet(t, Rate{200, 5}, func(f *fleet) {
			for range 4 {
				f.run(3, 1500*time.Millisecond)
				time.Sleep(pause)
			}
			f.keptRate()
		})
	}
}

// A wiped Redis forgets the moments that it granted, while instances still have them.
func TestAWipedScheduleGrantsNothingTwice(t *testing.T) {
	for _, r := range []Rate{{1, 1}, {50, 5}, {5000, 1}} {
		t.Run(fmt.Sprintf("%v a second, burst %d", r.PerSecond, r.Burst), func(t *testing.T) {
			if r.PerSecond > 50 {
				long(t)
			}
			inFleet(t, r, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
				defer cancel()
				for range 5 {
					f.instance(ctx)
				}
				for range 4 {
					time.Sleep(1130 * time.Millisecond)
					f.redis.FlushAll()
				}
				f.group.Wait()
				f.keptRate()
			})
		})
	}
}

// Other instances make the calls that one reserved and didn't make.
func TestAnInstanceThatTookMomentsAndDied(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		dead := f.limiter()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		f.instance(ctx)
		taken := 0
		for range 5 {
			time.Sleep(time.Second)
			tickets, _, err := dead.Take(ctx, 128)
			if err != nil {
				t.Fatal(err)
			}
			taken += len(tickets)
		}
		f.group.Wait()
		f.keptRate()
		f.used(0.99, 10*time.Second)
		if taken == 0 {
			t.Error("it took none")
		}
	})
}

// After Redis' clock jumps, the schedule lies in its past or in its future.
func TestRedisClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, -3 * time.Second, -500 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second, time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			if jump.Abs() == 3*time.Second {
				long(t)
			}
			inFleet(t, Rate{200, 5}, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				f.instance(ctx)
				time.Sleep(2 * time.Second)
				f.shift(-jump)
				f.group.Wait()
				f.keptRate()
				f.used(0.84, 10*time.Second) // a schedule up to 1.15 s ahead is waited for
			})
		})
	}
}

func (f *fleet) shift(d time.Duration) {
	f.t.Helper()
	const key = "test:{rate:eg:send}"
	text, err := f.redis.Get(key)
	if err != nil {
		f.t.Fatal(err)
	}
	next, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.redis.Set(key, strconv.FormatFloat(next+float64(d/time.Microsecond), 'f', 3, 64)); err != nil {
		f.t.Fatal(err)
	}
}

// The moments of a late reply can't be placed on our clock. Used anyway, they would exceed the
// rate together with those of the others.
func TestAnAnswerThatComesLateGrantsNothing(t *testing.T) {
	for _, perSecond := range []float64{500, 5000} {
		t.Run(fmt.Sprintf("%v a second", perSecond), func(t *testing.T) {
			if perSecond > 500 {
				long(t)
			}
			inFleet(t, Rate{perSecond, 1}, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				for range 5 {
					f.instance(ctx)
				}
				for range 40 {
					time.Sleep(107 * time.Millisecond)
					f.slow.Store(int64(80 * time.Millisecond))
				}
				f.group.Wait()
				f.keptRate()
				if f.counted(Late) == 0 {
					t.Error("no moment was counted late")
				}
			})
		})
	}
}

func TestARedisThatBecomesSlowIsBelievedAgain(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.limiter()
		granted := 0
		for range 60 {
			f.slow.Store(int64(50 * time.Millisecond))
			tickets, _, err := l.Take(context.Background(), 10)
			if err != nil {
				t.Fatal(err)
			}
			granted += len(tickets)
			for i := range tickets {
				tickets[i].Return()
			}
		}
		if granted < 60 {
			t.Errorf("%d moments were granted in %d tries at answers that take 50 ms", granted, 60)
		}
	})
}

func TestALateMomentIsReplacedAndCounted(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) {
		l := f.limiter()
		l.Begin(context.Background())
		time.Sleep(time.Second)
		tickets, _, err := l.Take(context.Background(), 1)
		if err != nil || len(tickets) != 1 {
			t.Fatal(tickets, err)
		}
		time.Sleep(time.Until(tickets[0].moment.at) + f.rate.slack() + time.Millisecond)
		missed := time.Now()
		if err := tickets[0].Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		if f.counted(Late) != 1 || f.counted(Granted) != 2 {
			t.Errorf("late %d, granted %d", f.counted(Late), f.counted(Granted))
		}
		if waited := time.Since(missed); waited > mostAhead+20*time.Millisecond {
			t.Errorf("the replacement came after %v", waited)
		}
	})
}

func TestAMomentWithinTheSlackIsUsed(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.limiter()
		time.Sleep(time.Second)
		tickets, _, err := l.Take(context.Background(), 1)
		if err != nil || len(tickets) != 1 {
			t.Fatal(tickets, err)
		}
		time.Sleep(time.Until(tickets[0].moment.at) + 70*time.Millisecond) // the slack of burst 5 is 80 ms
		if err := tickets[0].Wait(context.Background()); err != nil || f.counted(Late) != 0 {
			t.Error(err, f.counted(Late))
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	why := errors.New("stopping")
	inFleet(t, Rate{0.1, 1}, func(f *fleet) {
		l := f.limiter()
		cases := map[string]time.Time{
			"a moment to come": time.Now().Add(time.Hour),
			"a moment missed":  time.Now().Add(-time.Hour), // its replacement is up to 10 s away
		}
		for range 2 { // the schedule is ten seconds ahead, and the process has just called
			if err := l.ticket(time.Now()).Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		for name, moment := range cases {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(why) })
			began := time.Now()
			if err := l.ticket(moment).Wait(ctx); !errors.Is(err, why) && !errors.Is(err, context.Canceled) || time.Since(began) != time.Second { // go-redis knows no causes
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(why)
		if err := l.ticket(time.Now()).Wait(ctx); !errors.Is(err, why) {
			t.Errorf("a context that is over let a call through: %v", err)
		}
	})
}

func TestErrorsOfRedisAreReturned(t *testing.T) {
	inFleet(t, Rate{50, 1}, func(f *fleet) {
		client := f.connect(-1)
		defer func() { _ = client.Close() }()
		l := New(client, Options{Namespace: "test", Name: "eg:send", Rate: f.rate})
		f.redis.SetError("LOADING not now")
		if m, _, err := l.Take(context.Background(), 1); err == nil || m != nil {
			t.Error("Take answered", m)
		}
		if err := l.ticket(time.Now().Add(-time.Minute)).Wait(context.Background()); err == nil {
			t.Error("a missed moment was let through without Redis")
		}
		f.redis.SetError("")
		if err := l.ticket(time.Now().Add(-time.Minute)).Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// ticket returns a ticket with that moment granted.
func (l *Limiter) ticket(at time.Time) *Ticket {
	return &Ticket{limiter: l, moment: grantedMoment{at: at, throttle: l.seen.text, epoch: l.Epoch()}, granted: true}
}

// A burst above the rate allows moments to be used long after; never more of them than the burst.
func TestABurstIsBounded(t *testing.T) {
	inFleet(t, Rate{1, 100}, func(f *fleet) {
		f.run(3, 5*time.Second)
		time.Sleep(40 * time.Second) // less than the slack
		f.run(3, 5*time.Second)
		f.keptRate()
	})
}

func TestOnARealRedis(t *testing.T) {
	address := os.Getenv("DISBURSER_REDIS")
	if address == "" {
		t.Skip("set DISBURSER_REDIS to run on a real redis-server (make test-real does)")
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	var calls []time.Time
	var group sync.WaitGroup
	name := "smoke-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	for range 3 {
		l := New(client, Options{Namespace: "test", Name: name, Rate: Rate{100, 5}})
		group.Go(func() {
			for ctx.Err() == nil {
				tickets, wait, err := l.Take(ctx, 16)
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				_ = sleep(ctx, wait)
				for i := range tickets {
					if tickets[i].Wait(ctx) == nil {
						mu.Lock()
						calls = append(calls, time.Now())
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	if most := busiest(calls); most > 107 || len(calls) == 0 {
		t.Errorf("%d calls, the busiest second had %d", len(calls), most)
	}
}
