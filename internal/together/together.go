// Package together promises that scripts of many callers share round trips to Redis, and that
// each caller gets the answer to its own.
//
// A script goes out at once, as a plain command, while nothing else is in flight to its server. Who has woken at the
// same moment comes along. What is called meanwhile waits, and then leaves together in one pipeline. So nobody lingers,
// and the busier it is the more calls share a round trip. A node of a cluster is a server of its
// own, so none waits for another one.
//
// A pipeline is only a first try, and it is made once. Whoever got no answer by it calls alone. The
// client then does all that it does for a plain call: it tries again, and it follows a slot to its
// new node. So a script may run a second time after a lost answer, as with the client itself.
package together

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// atOnce is how many round trips to a server may be in flight before calls gather.
	atOnce = 1

	// patience is how long calls gather at most. A connection that hangs holds up nobody for longer.
	patience = 5 * time.Millisecond

	// mostCalls and mostBytes bound a pipeline. Redis serves nobody else before it has run all of one.
	mostCalls, mostBytes = 64, 64 << 10

	// largeCall is the size in bytes from which a call goes alone. There a round trip is the
	// smaller part of what it costs.
	largeCall = 16 << 10
)

// Scripts runs scripts on a client's servers. It is safe for concurrent use.
type Scripts struct {
	client  redis.UniversalClient
	flights sync.WaitGroup // counts what flying counts, in all queues
	flyers  chan *queue    // to goroutines that have made round trips and wait for the next one: their stacks have grown

	mu     sync.Mutex
	closed bool
	queues map[server]*queue // only of servers to which something is in flight
}

var _ redis.Scripter = (*Scripts)(nil)

// New makes one on a client. It sends nothing by itself.
func New(client redis.UniversalClient) *Scripts {
	return &Scripts{client: client, queues: map[server]*queue{}, flyers: make(chan *queue)}
}

// Close waits until nothing is in flight. It comes after the client's own Close, which ends what
// hangs. Calls that come later go alone, and fail as the client does.
func (s *Scripts) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	s.flights.Wait()
	if first {
		close(s.flyers)
	}
	return nil
}

// EvalSha runs a script that the server knows, together with others.
func (s *Scripts) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return s.run(ctx, "evalsha", sha, keys, args)
}

// EvalShaRO is EvalSha of a script that only reads.
func (s *Scripts) EvalShaRO(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return s.run(ctx, "evalsha_ro", sha, keys, args)
}

// Eval runs a script alone: its text is long, and is sent once in a server's life.
func (s *Scripts) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return s.client.Eval(ctx, script, keys, args...)
}

// EvalRO is Eval of a script that only reads.
func (s *Scripts) EvalRO(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return s.client.EvalRO(ctx, script, keys, args...)
}

// ScriptExists is the client's own.
func (s *Scripts) ScriptExists(ctx context.Context, hashes ...string) *redis.BoolSliceCmd {
	return s.client.ScriptExists(ctx, hashes...)
}

// ScriptLoad is the client's own.
func (s *Scripts) ScriptLoad(ctx context.Context, script string) *redis.StringCmd {
	return s.client.ScriptLoad(ctx, script)
}

// run calls a script, together with others where that is due.
func (s *Scripts) run(ctx context.Context, name, sha string, keys []string, args []any) *redis.Cmd {
	command := func() *redis.Cmd { return newCommand(ctx, name, sha, keys, args) }
	c := &call{command: command(), answered: make(chan bool, 1)}
	c.size = sizeOf(c.command)
	q, waits := s.enter(s.serverOf(ctx, keys), c)
	switch {
	case q == nil:
		return s.alone(ctx, c.command)
	case !waits:
		runtime.Gosched() // who has woken at the same moment may want something too, and comes along
		if !s.leads(q, c) {
			defer s.landed(q)
			return s.alone(ctx, c.command)
		}
	}
	select {
	case answered := <-c.answered:
		return s.settle(ctx, c, answered, command)
	case <-ctx.Done():
	}
	// A call that waits leaves, and is never sent. What is in flight may have been done: like the
	// client itself it waits for the answer, but not past a deadline.
	if !s.leave(q, c) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return s.settle(ctx, c, <-c.answered, command)
	}
	given := command() // the other one may still be written to
	given.SetErr(ctx.Err())
	return given
}

// settle answers a call that was in a pipeline.
func (s *Scripts) settle(ctx context.Context, c *call, answered bool, command func() *redis.Cmd) *redis.Cmd {
	if answered {
		return c.command
	}
	return s.alone(ctx, command())
}

// alone runs a command by itself, as if there were no others.
func (s *Scripts) alone(ctx context.Context, c *redis.Cmd) *redis.Cmd {
	_ = s.client.Process(ctx, c) // the command has its error
	return c
}

// newCommand is the command that the client itself would make.
func newCommand(ctx context.Context, name, sha string, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, sha, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	c := redis.NewCmd(ctx, append(all, args...)...)
	if len(keys) > 0 {
		c.SetFirstKeyPos(3) // by which a cluster's client finds the slot
	}
	return c
}

// sizeOf is about how many bytes a command has.
func sizeOf(c *redis.Cmd) (size int) {
	for _, arg := range c.Args() {
		switch a := arg.(type) {
		case string:
			size += len(a)
		case []byte:
			size += len(a)
		default:
			size += 8
		}
	}
	return size
}
