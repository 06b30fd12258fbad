package simulation

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"disburser/internal/embedded"
)

// stores are the Redis servers: which one each instance is led to, and all there ever
// were.
type stores struct {
	mu      sync.Mutex
	all     []*embedded.Redis
	current []*embedded.Redis // by slot
	main    *embedded.Redis
}

func newStores(slots int) (*stores, error) {
	s := &stores{current: make([]*embedded.Redis, slots)}
	first, err := s.start(snapshot{})
	if err != nil {
		return nil, err
	}
	s.lead(first)
	return s, nil
}

// start makes a server that holds what a snapshot does; it has a run id of its own.
func (s *stores) start(from snapshot) (*embedded.Redis, error) {
	r, err := embedded.NewRedis()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.all = append(s.all, r)
	s.mu.Unlock()
	return r, from.load(r)
}

// lead leads slots (none = all, and those to come) to a server.
func (s *stores) lead(to *embedded.Redis, slots ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(slots) > 0 {
		for _, slot := range slots {
			s.current[slot] = to
		}
		return
	}
	s.main = to
	for slot := range s.current {
		s.current[slot] = to
	}
}

func (s *stores) mainOne() *embedded.Redis {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.main
}

// dialer connects a slot with the server that it is led to at that moment.
func (s *stores) dialer(slot int) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		s.mu.Lock()
		r := s.current[slot]
		s.mu.Unlock()
		return r.Dial(ctx, network, address)
	}
}

func (s *stores) close() {
	for _, r := range s.all {
		r.Close()
	}
}

// snapshot is all that a Redis held at one moment.
type snapshot struct {
	taken time.Time
	keys  []stored
}

type stored struct {
	key, kind string
	left      time.Duration // 0 = for ever
	values    []string
}

// dump reads everything in one script, so that no other one runs in between.
const dump = `
local all = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
  local t = redis.call('TYPE', k)
  if type(t) == 'table' then t = t.ok end
  local v = {}
  if t == 'string' then v = {redis.call('GET', k)}
  elseif t == 'hash' then v = redis.call('HGETALL', k)
  elseif t == 'zset' then v = redis.call('ZRANGE', k, 0, -1, 'WITHSCORES')
  elseif t == 'set' then v = redis.call('SMEMBERS', k)
  elseif t == 'list' then v = redis.call('LRANGE', k, 0, -1) end
  all[#all + 1] = {k, t, tostring(redis.call('PTTL', k)), v}
end
return all`

// shoot takes a snapshot.
func shoot(r *embedded.Redis) (snapshot, error) {
	client := redis.NewClient(&redis.Options{
		Dialer: r.Dial, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { _ = client.Close() }()
	rows, err := client.Eval(context.Background(), dump, nil).Slice()
	if err != nil {
		return snapshot{}, fmt.Errorf("simulation: snapshot of Redis: %w", err)
	}
	s := snapshot{taken: time.Now()}
	for _, row := range rows {
		cells, _ := row.([]any)
		if len(cells) != 4 {
			return s, fmt.Errorf("simulation: snapshot of Redis: a row of %d cells", len(cells))
		}
		k := stored{key: fmt.Sprint(cells[0]), kind: fmt.Sprint(cells[1])}
		if ms, _ := strconv.ParseInt(fmt.Sprint(cells[2]), 10, 64); ms > 0 {
			k.left = time.Duration(ms) * time.Millisecond
		}
		values, _ := cells[3].([]any)
		for _, v := range values {
			k.values = append(k.values, fmt.Sprint(v))
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

// load fills a server that nobody uses yet.
func (s snapshot) load(r *embedded.Redis) error {
	for _, k := range s.keys {
		if err := k.load(r); err != nil {
			return fmt.Errorf("simulation: load %s of kind %s: %w", k.key, k.kind, err)
		}
		if k.left > 0 {
			r.SetTTL(k.key, k.left-time.Since(s.taken))
		}
	}
	return nil
}

func (k stored) load(r *embedded.Redis) error {
	switch k.kind {
	case "string":
		return r.Set(k.key, k.values[0])
	case "hash":
		r.HSet(k.key, k.values...)
	case "set":
		_, err := r.SetAdd(k.key, k.values...)
		return err
	case "list":
		_, err := r.Push(k.key, k.values...)
		return err
	case "zset":
		for i := 0; i+1 < len(k.values); i += 2 {
			score, err := strconv.ParseFloat(k.values[i+1], 64)
			if err != nil {
				return err
			}
			if _, err := r.ZAdd(k.key, score, k.values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
