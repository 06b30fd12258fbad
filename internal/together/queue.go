package together

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is whom a pipeline can be sent to.
type server interface{ Pipeline() redis.Pipeliner }

// queue is what is in flight to one server, and what waits. It belongs to the mutex of Scripts.
type queue struct {
	server  server
	flying  int     // round trips in flight
	waiting []*call // the one that came first stands first
	hurry   *time.Timer
}

// call is one script of one caller.
type call struct {
	command  *redis.Cmd
	size     int
	came     time.Time
	answered chan bool // whether the command has the server's answer; has room for it
}

// serverOf is the server of a script's keys, nil if that isn't known.
func (s *Scripts) serverOf(ctx context.Context, keys []string) server {
	cluster, is := s.client.(*redis.ClusterClient)
	if !is {
		return s.client
	}
	if len(keys) == 0 {
		return nil
	}
	node, err := cluster.MasterForKey(ctx, keys[0])
	if err != nil {
		return nil
	}
	return node
}

// enter has a call go out at once, or wait in the queue. Without a queue it goes alone, and counts
// nowhere.
func (s *Scripts) enter(to server, c *call) (q *queue, waits bool) {
	if to == nil || c.size >= largeCall {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	if q = s.queues[to]; q == nil {
		q = &queue{server: to}
		s.queues[to] = q
	}
	if q.flying < atOnce {
		s.begin(q)
		return q, false
	}
	c.came = time.Now()
	q.waiting = append(q.waiting, c)
	if len(q.waiting) == 1 {
		s.hurryIn(q, patience)
	}
	return q, true
}

// leads has a call that goes out at once take along those that have come since, and tells whether there are any. Then
// its round trip is theirs, and it waits for its answer like them.
func (s *Scripts) leads(q *queue, c *call) bool {
	s.mu.Lock()
	if len(q.waiting) == 0 {
		s.mu.Unlock()
		return false
	}
	c.came = time.Now()
	q.waiting = slices.Insert(q.waiting, 0, c)
	s.mu.Unlock()
	s.launch(q)
	return true
}

// begin counts a round trip. The mutex is held.
func (s *Scripts) begin(q *queue) {
	q.flying++
	s.flights.Add(1)
}

// leave takes a call out that still waits, and tells whether it did.
func (s *Scripts) leave(q *queue, c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(q.waiting, c)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	return true
}

// hurryIn has what waits then leave, whatever is in flight. The mutex is held.
func (s *Scripts) hurryIn(q *queue, d time.Duration) {
	if q.hurry == nil {
		q.hurry = time.AfterFunc(d, func() { s.hurry(q) })
		return
	}
	q.hurry.Reset(d)
}

// hurry sends what has waited for long enough. It may be late: then nothing waits, or not yet for long.
func (s *Scripts) hurry(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.waiting) == 0 {
		return
	}
	if left := patience - time.Since(q.waiting[0].came); left > 0 {
		s.hurryIn(q, left)
		return
	}
	s.begin(q)
	s.launch(q)
	s.hurryIn(q, patience)
}

// landed ends a caller's own round trip. Calls that wait leave without it.
func (s *Scripts) landed(q *queue) {
	if s.goesOn(q) {
		s.launch(q)
	}
}

// launch has a goroutine make round trips. It is counted as a flight, so Close comes later.
func (s *Scripts) launch(q *queue) {
	select {
	case s.flyers <- q:
	default:
		go func() {
			for ; q != nil; q = <-s.flyers {
				s.fly(q)
			}
		}()
	}
}

// goesOn tells whether another round trip takes the place of one that is over.
func (s *Scripts) goesOn(q *queue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.waiting) > 0 && q.flying <= atOnce {
		return true
	}
	if q.flying--; q.flying == 0 {
		delete(s.queues, q.server)
	}
	s.flights.Done()
	return false
}

// fly makes round trips while calls wait.
func (s *Scripts) fly(q *queue) {
	for more := true; more; more = s.goesOn(q) {
		runtime.Gosched() // whoever was just answered may ask for the next thing, and comes along
		if group := s.board(q); len(group) > 0 {
			ask(q.server, group)
		}
	}
}

// board takes calls that wait, as many as a pipeline may have.
func (s *Scripts) board(q *queue) []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(q.waiting), mostCalls) && bytes < mostBytes {
		bytes += q.waiting[n].size
		n++
	}
	group := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
		if q.hurry != nil {
			q.hurry.Stop()
		}
	}
	return group
}
