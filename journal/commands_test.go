package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
)

// TestWhatAScriptCosts holds the number of commands that each script makes, as Redis counts them
// in total_commands_processed: the call, and each command inside of it. A script that begins to
// cost more fails here. One that costs less does too, so that the table stays true.
func TestWhatAScriptCosts(t *testing.T) {
	server, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Dialer: server.Dial})
	t.Cleanup(func() { _ = client.Close(); server.Close() })
	costs := map[string]int{}
	j, ctx := benchJournal(t, client), context.Background()
	count := func(prefix string) func(string, func()) {
		return func(name string, f func()) {
			before := server.CommandCount()
			f()
			costs[prefix+name] = server.CommandCount() - before
		}
	}
	looks := func(prefix string, merchants int) {
		names := make([]string, merchants)
		for i := range names {
			names[i] = fmt.Sprintf("m%04d", i)
		}
		for name, call := range map[string]func() error{
			"due":        func() error { _, err := j.Due(ctx, names); return err },
			"may be due": func() error { _, err := j.MayBeDue(ctx); return err },
			"marks":      func() error { _, err := j.Marks(ctx, []int{0, 1, 2, 3, 4, 5}); return err },
			"counts":     func() error { _, err := j.Count(ctx, []int{0, 1, 2, 3, 4, 5}); return err },
			"open":       func() error { _, err := j.OpenCount(ctx, 0, 0); return err },
			"clock":      func() error { _, _, err := j.Clock(ctx, "id", time.Now(), false); return err },
			"watermark": func() error {
				_, err := j.Watermark(ctx, map[int]int64{0: 1, 1: 1, 2: 1}, map[int]int64{0: 1})
				return err
			},
		} {
			count(prefix)(name, func() {
				if err := call(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			})
		}
	}
	looks("", 1) // the first call of each script loads it
	oneLife(t, j, 0, 1, func(_ string, f func()) { f() })
	if _, err := j.Due(ctx, []string{"eg-main"}); err != nil { // it corrects the index of what has left its lanes
		t.Fatal(err)
	}
	if _, err := j.Count(ctx, []int{0}); err != nil { // it forgets the merchant
		t.Fatal(err)
	}
	j.sweeps.last = time.Now().Add(time.Hour) // how much is swept depends on the time
	clear(costs)
	looks("1 merchant: ", 1)
	looks("200 merchants: ", 200)
	from := 1
	for _, size := range []int{1, 10} {
		oneLife(t, j, from, size, count(fmt.Sprintf("%d payouts: ", size)))
		from += size
	}
	for _, name := range slices.Sorted(maps.Keys(costs)) {
		if want, listed := commandsOf[name]; !listed || costs[name] != want {
			t.Errorf("%q: %d, // not %d", name, costs[name], want)
		}
	}
	if len(costs) != len(commandsOf) {
		t.Errorf("%d calls were counted, the table has %d", len(costs), len(commandsOf))
	}
}

// commandsOf is the table of TestWhatAScriptCosts. From Redis 7.0 on each script makes one less: see run_id
// in _layout.lua.
var commandsOf = map[string]int{
	"1 merchant: clock":          8,
	"1 merchant: counts":         8,
	"1 merchant: due":            7,
	"1 merchant: marks":          7,
	"1 merchant: may be due":     2,
	"1 merchant: open":           8,
	"1 merchant: watermark":      12,
	"1 payouts: apply announce":  15,
	"1 payouts: apply ask":       14,
	"1 payouts: apply send":      12,
	"1 payouts: insert":          18,
	"1 payouts: lease announce":  14,
	"1 payouts: lease ask":       15,
	"1 payouts: lease send":      18,
	"10 payouts: apply announce": 52,
	"10 payouts: apply ask":      14,
	"10 payouts: apply send":     12,
	"10 payouts: insert":         27,
	"10 payouts: lease announce": 23,
	"10 payouts: lease ask":      24,
	"10 payouts: lease send":     27,
	"200 merchants: clock":       8,
	"200 merchants: counts":      8,
	"200 merchants: due":         7,
	"200 merchants: marks":       7,
	"200 merchants: may be due":  2,
	"200 merchants: open":        8,
	"200 merchants: watermark":   12,
}
