package together

import (
	"context"
	"net"
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

// onTheWay is how long a request is in flight.
const onTheWay = 2 * time.Millisecond

// echo answers what it is told, and counts its runs. Told ERROR, it fails with its second argument.
var echo = redis.NewScript(`
redis.call('INCR', KEYS[1])
if ARGV[1] == 'ERROR' then return redis.error_reply(ARGV[2]) end
return ARGV[1]`)

// line is all connections to one server.
type line struct {
	server *embedded.Redis
	writes atomic.Int64 // each pipeline is one, and so is each lone command
	hang   atomic.Bool  // the next answer is never read
	cut    atomic.Int64 // so many answers are lost, each with its connection
}

type conn struct {
	net.Conn
	line *line
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := l.server.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn{c, l}, nil
}

func (c conn) Write(p []byte) (int, error) {
	c.line.writes.Add(1)
	time.Sleep(onTheWay)
	return c.Conn.Write(p)
}

func (c conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	if c.line.hang.CompareAndSwap(true, false) {
		return c.Conn.Read(make([]byte, len(p))) // until its deadline
	}
	if left := c.line.cut.Load(); left > 0 && c.line.cut.CompareAndSwap(left, left-1) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, nil
}

func newLine(t *testing.T) *line {
	t.Helper()
	server, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &line{server: server}
}

func optionsTo(l *line) *redis.Options {
	return &redis.Options{
		Dialer: l.dial, DialerRetries: 1, ReadTimeout: time.Second, WriteTimeout: time.Second, PoolSize: 32, ContextTimeoutEnabled: true, MaxRetries: 2,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// onALine runs a test in virtual time, on a server that knows the script already.
func onALine(t *testing.T, test func(t *testing.T, s *Scripts, l *line)) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		s := New(redis.NewClient(optionsTo(l)))
		t.Cleanup(func() { closeAll(t, s) })
		if err := echo.Load(t.Context(), s).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.client.Pipelined(t.Context(), func(p redis.Pipeliner) error { return p.Ping(t.Context()).Err() }); err != nil { // pipelines have connections of their own
			t.Fatal(err)
		}
		l.writes.Store(0)
		test(t, s, l)
	})
}

func closeAll(t *testing.T, s *Scripts) {
	t.Helper()
	_ = s.client.Close() // a test may have closed it
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(s.queues) > 0 {
		t.Errorf("%d queues are left", len(s.queues))
	}
}

// say calls the script with a caller's word.
func say(ctx context.Context, s *Scripts, word ...any) (string, error) {
	return echo.Run(ctx, s, []string{"runs"}, word...).Text()
}

// runs is how often the script has run.
func (l *line) runs(t *testing.T) string {
	t.Helper()
	n, err := l.server.Get("runs")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// together runs n callers at one moment.
func together(n int, caller func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { caller(i) })
	}
	all.Wait()
}

// occupy has a call in flight, until the caller waits for it.
func occupy(t *testing.T, s *Scripts) (wait func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := say(context.Background(), s, "first")
		done <- err
	}()
	synctest.Wait()
	return func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
