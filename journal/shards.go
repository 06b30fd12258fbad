package journal

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// Shards is the journal as a whole. Each payout stands in the shard of its tradeNo;
// positions and safe marks are the smallest of all shards.
type Shards struct {
	journals []*Journal
	inserted func() // told after payouts were made known; never blocks
}

// NewShards makes n shards; the options are those of each, with its own number.
func NewShards(client redis.UniversalClient, n int, o Options, inserted func()) Shards {
	s := Shards{inserted: inserted}
	for o.Shard = range n {
		s.journals = append(s.journals, New(client, o))
	}
	return s
}

// All are the shards, by number.
func (s Shards) All() []*Journal { return s.journals }

// Of answers the number of the shard in which a payout stands.
func (s Shards) Of(tradeNo string) int {
	h := fnv.New32()
	_, _ = h.Write([]byte(tradeNo))
	return int(h.Sum32() % uint32(len(s.journals)))
}

// Prefixes are the beginnings of the names of all keys, by shard.
func (s Shards) Prefixes() []string {
	all := make([]string, len(s.journals))
	for i, j := range s.journals {
		all[i] = j.prefix
	}
	return all
}

// Insert makes the payouts of a range known in their shards; every shard's position
// moves.
func (s Shards) Insert(ctx context.Context, r intake.Range, entries []intake.Entry) ([]intake.Outcome, int, error) {
	if len(s.journals) == 1 {
		outcomes, open, err := s.journals[0].Insert(ctx, r, entries)
		if err == nil && len(entries) > 0 {
			s.inserted()
		}
		return outcomes, open, err
	}
	parts, places := make([][]intake.Entry, len(s.journals)), make([][]int, len(s.journals))
	for i, e := range entries {
		at := s.Of(e.Payout.TradeNo)
		parts[at], places[at] = append(parts[at], e), append(places[at], i)
	}
	outcomes, open := make([]intake.Outcome, len(entries)), 0
	for at, j := range s.journals {
		some, n, err := j.Insert(ctx, r, parts[at])
		if err != nil {
			return nil, 0, err
		}
		for i, o := range some {
			outcomes[places[at][i]] = o
		}
		open += n
	}
	if len(entries) > 0 {
		s.inserted()
	}
	return outcomes, open, nil
}

// OpenCount answers how many payouts are open in all shards, if each of them wants what stands at
// the offset.
func (s Shards) OpenCount(ctx context.Context, partition int, offset int64) (open int, err error) {
	for _, j := range s.journals {
		n, err := j.OpenCount(ctx, partition, offset)
		if err != nil {
			return 0, err
		}
		open += n
	}
	return open, nil
}

// Position sets the position where a shard has none, and answers the smallest.
func (s Shards) Position(ctx context.Context, partition int, offset int64, forward bool) (int64, error) {
	smallest := int64(-1)
	for _, j := range s.journals {
		p, err := j.Position(ctx, partition, offset, forward)
		if err != nil {
			return 0, err
		}
		if smallest < 0 || p < smallest {
			smallest = p
		}
	}
	return smallest, nil
}

// Anchor answers what was read last of a partition, by a shard that knows it. What is
// learned is noted in those that don't.
func (s Shards) Anchor(ctx context.Context, partition int, learned string) (string, error) {
	known := ""
	for range 2 { // the second time, what one of them knows is told to the others
		for _, j := range s.journals {
			anchor, err := j.Anchor(ctx, partition, learned)
			if err != nil {
				return "", err
			}
			if known == "" {
				known = anchor
			}
		}
		if learned == known || known == "" {
			break
		}
		learned = known
	}
	return known, nil
}

// Now answers Redis' time.
func (s Shards) Now() time.Time { return s.journals[0].Now() }

// Lingering answers the payouts that hold a partition's safe mark back, of all shards.
func (s Shards) Lingering(ctx context.Context, partition, n int) ([]payout.Payout, error) {
	var all []payout.Payout
	for _, j := range s.journals {
		some, err := j.Lingering(ctx, partition, n)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Marks answers the smallest position and safe mark of all shards.
func (s Shards) Marks(ctx context.Context, partitions []int) (map[int]intake.Mark, error) {
	all := map[int]intake.Mark{}
	for i, j := range s.journals {
		marks, err := j.Marks(ctx, partitions)
		if err != nil {
			return nil, err
		}
		for p, m := range marks {
			if i > 0 {
				m = intake.Mark{Position: min(m.Position, all[p].Position), Safe: min(m.Safe, all[p].Safe)}
			}
			all[p] = m
		}
	}
	return all, nil
}

// Count counts the open payouts of all shards; see Journal.Count.
func (s Shards) Count(ctx context.Context, partitions []int) (Census, error) {
	all := newCensus()
	for _, j := range s.journals {
		c, err := j.Count(ctx, partitions)
		if err != nil {
			return Census{}, err
		}
		all.add(c)
	}
	return all, nil
}

// Parked answers of which batches payouts are parked, in all shards, and how many. A batch may stand there once for each
// shard.
func (s Shards) Parked(ctx context.Context) ([]leases.Parked, error) {
	var all []leases.Parked
	for _, j := range s.journals {
		some, err := j.Parked(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Accounts counts in all shards, and in the given number of partitions; see Journal.Accounts.
func (s Shards) Accounts(ctx context.Context, partitions int, merchant string, mine payout.Account, between func()) (others, unknown int, err error) {
	for _, j := range s.journals {
		for p := range partitions {
			o, u, err := j.Accounts(ctx, p, merchant, mine, between)
			if err != nil {
				return 0, 0, err
			}
			others, unknown = others+o, unknown+u
		}
	}
	return others, unknown, nil
}
