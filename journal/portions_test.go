package journal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout/epochs"
)

// planned are two partitions of each topic.
func planned(t *testing.T, j *Journal, id string) {
	t.Helper()
	var all []epochs.Portion
	for p := range 2 {
		all = append(all, epochs.Portion{Decisions: true, Partition: p, End: 100, Fence: "before"}, epochs.Portion{Partition: p, From: 3, Next: 3, End: 50})
	}
	if err := j.Plan(context.Background(), id, 1, all); err != nil {
		t.Fatal(err)
	}
}

func share(t *testing.T, j *Journal, id, worker string, claim time.Duration, held *epochs.Portion) (*epochs.Portion, []epochs.Portion) {
	t.Helper()
	given, all, err := j.Share(context.Background(), id, 1, worker, claim, held)
	if err != nil {
		t.Fatal(err)
	}
	return given, all
}

func TestPortionsAreHandedOutOnceAndWorkedOff(t *testing.T) {
	rebuilding(t, func(t *testing.T, _ redis.UniversalClient, j *Journal) {
		id := build(t, j)
		planned(t, j, id)
		var done []epochs.Portion
		for worker := range 4 {
			name := string(rune('a' + worker))
			mine, all := share(t, j, id, name, time.Minute, nil)
			if mine == nil || len(all) != 4 || mine.Decisions != (worker > 1) { // results go first
				t.Fatalf("%s got %+v of %+v", name, mine, all)
			}
			for _, other := range done {
				if *mine == other {
					t.Fatalf("%+v was given twice", mine)
				}
			}
			done = append(done, *mine)
			if again, _ := share(t, j, id, name, time.Minute, nil); *again != *mine { // a lost reply
				t.Fatalf("%+v, then %+v", mine, again)
			}
			mine.Next, mine.Highest, mine.Fence = 40, 7, "seen"
			if again, _ := share(t, j, id, name, time.Minute, mine); *again != *mine {
				t.Fatalf("%+v, then %+v", mine, again)
			}
		}
		if more, _ := share(t, j, id, "late", time.Minute, nil); more != nil {
			t.Fatalf("%+v was left", more)
		}
		for worker := range 4 {
			mine, _ := share(t, j, id, string(rune('a'+worker)), time.Minute, nil)
			mine.Done = true
			for range 2 { // the reply was lost
				if more, _ := share(t, j, id, string(rune('a'+worker)), time.Minute, mine); more != nil {
					t.Fatalf("%+v was left", more)
				}
			}
		}
		_, all := share(t, j, id, "a", time.Minute, nil)
		for _, p := range all {
			if !p.Done || p.Next != 40 || p.Highest != 7 || p.Fence != "seen" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// A worker that died, or was stopped, is replaced where it had come to; when it wakes it
// is told, and undoes nothing.
func TestASlowWorkerIsReplaced(t *testing.T) {
	rebuilding(t, func(t *testing.T, _ redis.UniversalClient, j *Journal) {
		id := build(t, j)
		if err := j.Plan(context.Background(), id, 1, []epochs.Portion{{End: 9}}); err != nil {
			t.Fatal(err)
		}
		slow, _ := share(t, j, id, "slow", time.Millisecond, nil)
		slow.Next = 4
		slow, _ = share(t, j, id, "slow", time.Millisecond, slow)
		time.Sleep(5 * time.Millisecond) // Redis' clock, which no test can turn
		quick, _ := share(t, j, id, "quick", time.Minute, nil)
		if quick == nil || quick.Next != 4 {
			t.Fatalf("%+v", quick)
		}
		for _, done := range []bool{false, true} {
			slow.Next, slow.Done = 5, done
			if given, all := share(t, j, id, "slow", time.Minute, slow); given != nil || all[0].Next != 4 || all[0].Done {
				t.Fatalf("%+v of %+v", given, all)
			}
		}
		quick.Done = true
		if _, all := share(t, j, id, "quick", time.Minute, quick); !all[0].Done {
			t.Fatalf("%+v", all)
		}
		slow.Done = false
		if given, all := share(t, j, id, "slow", time.Minute, slow); given != nil || !all[0].Done {
			t.Fatalf("%+v of %+v", given, all)
		}
	})
}

func TestOnlyTheBuildingItselfIsShared(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		refused := func(id string) {
			t.Helper()
			epochError(t, j.Plan(ctx, id, 1, []epochs.Portion{{End: 9}}))
			_, _, err := j.Share(ctx, id, 1, "a", time.Minute, nil)
			epochError(t, err)
		}
		refused("")
		id := build(t, j)
		refused("another")
		planned(t, j, id)
		restarted(t, client, j)
		refused(id)
		later := build(t, j)
		refused(id)
		if _, all := share(t, j, later, "a", time.Minute, nil); len(all) != 0 { // the old plan is void
			t.Fatalf("%+v", all)
		}
		open(t, j, later)
		refused(later)
	})
}

// Of other settings a worker would leave out what isn't its own, and call the portion done.
func TestWorkersOfOtherSettingsGetNothing(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		id := build(t, j)
		planned(t, j, id)
		_, _, err := j.Share(context.Background(), id, 2, "a", time.Minute, nil)
		epochError(t, err)
		other := New(client, Options{Namespace: namespaceOf(j), Window: 2 * time.Hour})
		_, _, err = other.Share(context.Background(), id, 1, "a", time.Minute, nil)
		epochError(t, err)
		if mine, _ := share(t, j, id, "a", time.Minute, nil); mine == nil {
			t.Error("nothing is left")
		}
	})
}

// namespaceOf takes it out of the prefix, "namespace:{0}:".
func namespaceOf(j *Journal) string { return j.prefix[:len(j.prefix)-len(":{0}:")] }

func TestOnlyACompleteRebuildIsOpened(t *testing.T) {
	rebuilding(t, func(t *testing.T, _ redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		before, _ := j.Standing(ctx)
		id := build(t, j)
		opening := epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1, Portions: 1}
		epochError(t, j.OpenEpoch(ctx, opening)) // nothing planned, or the plan is gone
		if err := j.Plan(ctx, id, 1, []epochs.Portion{{End: 9}}); err != nil {
			t.Fatal(err)
		}
		// A copy of the first call that was on its way for long: go-redis had repeated it.
		if err := j.Build(ctx, id, before.Epoch.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		mine, all := share(t, j, id, "a", time.Minute, nil)
		if mine == nil || len(all) != 1 {
			t.Fatalf("the late copy voided the plan: %+v", all)
		}
		epochError(t, j.OpenEpoch(ctx, opening))
		mine.Done = true
		share(t, j, id, "a", time.Minute, mine)
		if err := j.OpenEpoch(ctx, opening); err != nil {
			t.Error(err)
		}
		j.Believe(id)
	})
}

func TestAnotherWindowIsRefused(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		other := New(client, Options{Namespace: namespaceOf(j), Window: 40 * time.Minute})
		if _, err := other.Standing(context.Background()); err == nil || !strings.Contains(err.Error(), "redis.dedup_window") {
			t.Errorf("%v: what it remembers would not be found", err)
		}
	})
}
