package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// machine is a machine that stands still for 50 to 300 ms about every three seconds, a twentieth
// of the time. A sleep that should end meanwhile ends after it.
type machine struct {
	stalls [][2]time.Time
}

func newMachine(random *rand.Rand, d time.Duration) *machine {
	m, at := &machine{}, time.Now()
	for end := at.Add(d); at.Before(end); {
		at = at.Add(time.Duration(random.ExpFloat64() * float64(3*time.Second)))
		until := at.Add(50*time.Millisecond + time.Duration(random.Int64N(int64(250*time.Millisecond))))
		m.stalls = append(m.stalls, [2]time.Time{at, until})
		at = until
	}
	return m
}

// awake returns when the machine runs.
func (m *machine) awake() {
	now := time.Now()
	for _, s := range m.stalls {
		if !now.Before(s[0]) && now.Before(s[1]) {
			time.Sleep(s[1].Sub(now))
			return
		}
	}
}

// stalledConn is a connection of a machine that stands still at times.
type stalledConn struct {
	net.Conn
	*machine
}

func (c stalledConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.awake()
	return n, err
}

func (c stalledConn) Write(b []byte) (int, error) {
	c.awake()
	return c.Conn.Write(b)
}

// stalling is an instance on such a machine. It works as the loop of disburse does. It leases and
// decides one group at a time, mostly in 5 to 40 ms, one of twenty in up to 180 ms. Then the calls
// wait for their moments, at most 128 at once. killed ends it, and its moments are lost.
func (f *fleet) stalling(killed context.Context, seed uint64, d time.Duration) {
	random := rand.New(rand.NewPCG(seed, 1))
	m := newMachine(random, d)
	client := redis.NewClient(&redis.Options{
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := f.redis.Dial(ctx, network, address)
			return stalledConn{c, m}, err
		},
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l := f.limiterOn(client)
	l.sleep = func(ctx context.Context, d time.Duration) error {
		err := sleep(ctx, d)
		m.awake()
		return err
	}
	slots := make(chan struct{}, 128)
	f.group.Go(func() {
		defer func() { // what waits leaves first
			for range cap(slots) {
				slots <- struct{}{}
			}
			_ = client.Close()
		}()
		for killed.Err() == nil {
			m.awake()
			tickets, wait, err := l.Take(killed, cap(slots)-len(slots))
			if err != nil {
				return
			}
			if len(tickets) == 0 {
				_ = sleep(killed, max(wait, 20*time.Millisecond))
				continue
			}
			prepare := 5*time.Millisecond + time.Duration(random.Int64N(int64(35*time.Millisecond)))
			if random.IntN(20) == 0 {
				prepare += time.Duration(random.Int64N(int64(140 * time.Millisecond)))
			}
			if sleep(killed, prepare) != nil {
				return
			}
			m.awake()
			for i := range tickets {
				slots <- struct{}{}
				f.group.Go(func() {
					defer func() { <-slots }()
					if tickets[i].Wait(killed) == nil && killed.Err() == nil {
						f.called()
					}
				})
			}
		}
	})
}

// On a busy machine everything that an instance does may be late. The others make the calls that
// it doesn't make, and no more than these.
func TestMachinesThatStandStill(t *testing.T) {
	for _, perSecond := range []float64{1, 10, 50, 200, 1000} {
		for _, burst := range []int{1, 5, 20} {
			if burst != 5 && perSecond != 200 {
				continue
			}
			t.Run(fmt.Sprintf("%v a second, burst %d", perSecond, burst), func(t *testing.T) {
				if burst != 5 || perSecond != 50 {
					long(t)
				}
				inFleet(t, Rate{perSecond, burst}, func(f *fleet) {
					d := 30 * time.Second
					if perSecond > 200 { // as many calls in less time
						d = 10 * time.Second
					}
					ctx, cancel := context.WithTimeout(context.Background(), d)
					defer cancel()
					for i := range 3 {
						f.stalling(ctx, uint64(i), d)
					}
					f.group.Wait()
					f.keptRate()
					if f.rate.catchUp() > 0 {
						f.used(0.99, d)
					} else {
						f.used(0.985, d) // nothing may be caught up on
					}
					f.told()
				})
			})
		}
	}
}

// The same with instances that start and are killed, three to twenty at a time. With fewer, all of
// them would sometimes stand still together.
func TestMachinesThatStandStillJoinAndAreKilled(t *testing.T) {
	long(t)
	inFleet(t, Rate{200, 5}, func(f *fleet) {
		const d = 32 * time.Second
		for i := range 22 {
			life := 30 * time.Second
			if i > 2 {
				life = 5*time.Second + time.Duration(i%4)*4*time.Second
			}
			ctx, cancel := context.WithTimeout(context.Background(), min(life, d-time.Duration(i)*time.Second))
			defer cancel()
			f.stalling(ctx, uint64(i), d)
			if i > 2 {
				time.Sleep(time.Second)
			}
		}
		f.group.Wait()
		f.keptRate()
		f.used(0.98, d-2*time.Second) // 0.99 on average; which events come first isn't fixed
		f.told()
	})
}

func (f *fleet) told() {
	f.t.Logf("%d calls, the busiest second %d; granted %d, late %d (%.1f %%)", len(f.calls), busiest(f.calls),
		f.counted(Granted), f.counted(Late), 100*float64(f.counted(Late))/float64(f.counted(Granted)))
}

// The worst case: every call is made as late as allowed, or much later. The calls take no time to
// the provider, so the part of the promise for that time must remain unused.
func TestCallsAsLateAsTheyMayBe(t *testing.T) {
	for _, r := range []Rate{{1, 5}, {10, 1}, {50, 5}, {200, 1}, {200, 5}, {200, 20}, {1000, 5}} {
		t.Run(fmt.Sprintf("%v a second, burst %d", r.PerSecond, r.Burst), func(t *testing.T) {
			if r.PerSecond > 50 {
				long(t)
			}
			inFleet(t, r, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				for i := range 3 {
					random := rand.New(rand.NewPCG(uint64(i), 2))
					l := f.limiter()
					l.sleep = func(ctx context.Context, d time.Duration) error {
						late, yes := f.mischief(random)
						if !yes {
							late = r.slack() - time.Microsecond
						}
						return sleep(ctx, d+late)
					}
					f.atOnce(ctx, l)
				}
				f.group.Wait()
				if most, bound := busiest(f.calls), r.PerSecond+max(float64(r.Burst), r.PerSecond*r.slack().Seconds()+1)+0.5; float64(most) > bound {
					t.Errorf("the busiest second had %d calls, promised are at most %v", most, bound)
				}
				f.told()
			})
		})
	}
}

// Whoever asks for moments seldom is granted no more than the rate. What was missed meanwhile is caught up on, or lost: it makes
// no later interval shorter.
func TestWhoAsksSeldomIsGrantedNoMore(t *testing.T) {
	for _, r := range []Rate{{10, 3}, {50, 5}, {200, 20}} {
		step := r.interval() / 7
		if testing.Short() {
			step *= 5
		}
		for gap := r.interval() / 2; gap < 8*r.interval(); gap += step {
			inFleet(t, r, func(f *fleet) {
				l, granted := f.limiter(), 0
				l.Begin(context.Background())
				time.Sleep(time.Second) // the schedule has begun
				began := time.Now()
				for time.Since(began) < 200*r.interval() {
					time.Sleep(gap)
					moments, _, err := l.grant(context.Background(), request{n: 100, ahead: r.ahead(), callDelay: r.replyDelay()})
					if err != nil {
						f.t.Fatal(err)
					}
					granted += len(moments)
				}
				if most := r.PerSecond*(time.Since(began)+r.ahead()).Seconds() + float64(r.Burst); float64(granted) > most {
					f.t.Errorf("%v a second, burst %d, asked for every %v: %d were granted in %v, at most %.1f are agreed", r.PerSecond, r.Burst, gap, granted, time.Since(began), most)
				}
			})
		}
	}
}

// atOnce makes calls from an endless backlog, with up to 128 of them waiting.
func (f *fleet) atOnce(ctx context.Context, l *Limiter) {
	slots := make(chan struct{}, 128)
	f.group.Go(func() {
		for ctx.Err() == nil {
			tickets, wait, err := l.Take(ctx, cap(slots)-len(slots))
			if err != nil || len(tickets) == 0 && sleep(ctx, max(wait, 20*time.Millisecond)) != nil {
				return
			}
			_ = sleep(ctx, 5*time.Millisecond) // a lease and a decision
			for i := range tickets {
				slots <- struct{}{}
				f.group.Go(func() {
					defer func() { <-slots }()
					if tickets[i].Wait(ctx) == nil {
						f.called()
					}
				})
			}
		}
	})
}

// mischief tells whether a call is much too late, and by how much. Half of the time one in five
// is, half of the time none: so catch-ups happen beside a full schedule.
func (f *fleet) mischief(random *rand.Rand) (late time.Duration, yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	late = time.Duration(random.Int64N(int64(150 * time.Millisecond)))
	return late, time.Now().UnixMilli()/300%2 == 0 && random.IntN(5) == 0
}

// Calls that wait occupy slots that others may need. So there are enough of them to go on while
// leases stall, and no more, however many instances there are.
func TestFewCallsWait(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		instances int
		most      int // two bridges for one instance (one is on its way), and about two longest queues for many
	}{{200, 1, 80}, {200, 3, 200}, {1000, 3, 800}, {200, 20, 350}, {1, 20, 3}} {
		t.Run(fmt.Sprintf("%v a second, %d instances", c.perSecond, c.instances), func(t *testing.T) {
			if c.perSecond > 1 && c.instances != 3 || c.perSecond > 200 {
				long(t)
			}
			inFleet(t, Rate{c.perSecond, 5}, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				var all []*Limiter
				for range c.instances {
					all = append(all, f.limiter())
					f.atOnce(ctx, all[len(all)-1])
				}
				longest := 0
				for ctx.Err() == nil {
					time.Sleep(7 * time.Millisecond)
					waiting := 0
					for _, l := range all {
						l.mu.Lock()
						waiting += len(l.queue.waiting)
						l.mu.Unlock()
					}
					longest = max(longest, waiting)
				}
				f.group.Wait()
				f.used(0.99, 20*time.Second)
				if longest > c.most {
					t.Errorf("%d calls waited at once, want at most %d", longest, c.most)
				}
				t.Logf("%d calls waited at once", longest)
			})
		})
	}
}
