package decisions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

// history writes finals and sends into all partitions, enough for several pages.
func history(t *testing.T, k *kafkatest.Kafka, epoch string) (ended, sent []string) {
	t.Helper()
	for n := range 30 {
		final, send := fmt.Sprint("ended-", n), fmt.Sprint("sent-", n)
		announces(t, k, n%2, message.EventPaid, final)
		decision(t, k, n%3, message.KindSend, epoch, send)
		ended, sent = append(ended, final), append(sent, send)
	}
	return ended, sent
}

func TestInstancesShareARebuild(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		var mu sync.Mutex
		restored := map[string]int{} // calls by instance
		saw := map[string]bool{}
		var all []*instance
		for n := range 3 {
			name := fmt.Sprint("pod-", n)
			all = append(all, startHooked(t, k, client, name, 1, func(_ Journal, step string) {
				if step != "restore" {
					return
				}
				mu.Lock()
				restored[name]++
				mu.Unlock()
				time.Sleep(900 * time.Millisecond) // a large page, on a slow Redis
				for _, i := range all {
					if _, why := i.Epoch(); strings.HasPrefix(why, "the journal is being rebuilt: ") {
						mu.Lock()
						saw[i.Log.instance] = true
						mu.Unlock()
					}
				}
			}))
		}
		before := all[0].settles(t)
		for _, i := range all {
			i.settles(t)
		}
		ended, sent := history(t, k, before.ID)
		r.FlushAll()
		for _, i := range all {
			i.CheckEpoch()
		}
		after := all[0].next(t, before)
		for _, i := range all {
			if e := i.next(t, before); e != after {
				t.Errorf("%+v and %+v", e, after)
			}
		}
		if len(restored) < 2 {
			t.Errorf("restored by %v", restored)
		}
		if len(saw) != 3 {
			t.Errorf("progress was seen by %v", slices.Collect(maps.Keys(saw)))
		}
		if got := all[1].takeIn(t, append(ended, sent...)...); got != strings.Repeat("d", 60) {
			t.Errorf("outcomes %s", got)
		}
		if got := all[2].due(t, payout.StepSend); got != "" {
			t.Errorf("%s would be sent again", got)
		}
	})
}

// A helper that is stopped, or a Kafka that it can't reach, costs its claim.
func TestAHelperThatStopsIsReplaced(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		builder := startKeeper(t, k, client, "pod-1", 1)
		before := builder.settles(t)
		wake := make(chan struct{})
		var stopped atomic.Bool
		helper := startHooked(t, k, client, "pod-2", 1, func(_ Journal, step string) {
			if step == "restore" && stopped.CompareAndSwap(false, true) {
				<-wake
			}
		})
		helper.settles(t)
		ended, sent := history(t, k, before.ID)
		r.FlushAll()
		if err := builder.journal.Build(background, "never-planned", "", 5*time.Second); err != nil { // keeps both waiting
			t.Fatal(err)
		}
		if err := builder.journal.Plan(background, "never-planned", 1, []epochs.Portion{{End: 15}, {Partition: 1, End: 15}}); err != nil {
			t.Fatal(err)
		}
		helper.CheckEpoch() // takes a portion of it and stops
		time.Sleep(time.Second)
		began := time.Now()
		builder.CheckEpoch()
		builder.next(t, before)
		if took := time.Since(began); took > 5*time.Second+2*portionClaim {
			t.Errorf("after %v", took)
		}
		close(wake) // restores into a building that is over: refused
		if e := helper.next(t, before); e != builder.current() {
			t.Errorf("%+v", e)
		}
		if got := builder.takeIn(t, append(ended, sent...)...); got != strings.Repeat("d", 60) {
			t.Errorf("outcomes %s", got)
		}
	})
}

func TestAWorkerThatFailsLeavesItsPortionToOthers(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		history(t, k, before.ID)
		if err := i.journal.Build(background, "mine", before.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		// The end is a lie: the broker can't return what isn't there.
		plan := []epochs.Portion{{End: 15}, {Partition: 1, End: 99}}
		if err := i.journal.Plan(background, "mine", 1, plan); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(background, 2*time.Second)
		defer cancel()
		if err := i.assist(ctx, "mine"); err == nil || !strings.Contains(err.Error(), "helping another instance") {
			t.Errorf("%v", err)
		}
		portion, all, err := i.journal.Share(background, "mine", 1, "another", time.Minute, nil)
		if err != nil || portion != nil && portion.Partition == 0 || len(all) != 2 {
			t.Errorf("%+v of %+v: %v", portion, all, err)
		}
	})
}

func TestTheSilenceOfPartitions(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := noon
	p := pulse{ends: map[int]int64{}, moved: map[int]time.Time{}}
	ends := map[int]int64{0: 4, 1: 9, 2: 0}
	silent := func(after time.Duration, want ...int) {
		t.Helper()
		now = now.Add(after)
		if got := p.silent(ends, now); !slices.Equal(got, want) && (len(got) != 1 || len(want) != 1) {
			t.Errorf("%v needs a sign of life, want %v", got, want)
		}
	}
	silent(0)
	silent(aliveEvery - 1)
	silent(1, 0) // any
	ends[1]++
	silent(time.Second)
	silent(aliveEvery-1, []int{}...)
	ends[0]++
	silent(1)
	for now.Before(noon.Add(keepEvery - aliveEvery)) { // busy, but for one partition
		ends[0]++
		ends[1]++
		silent(aliveEvery / 2)
	}
	ends[0]++
	ends[1]++
	if got := p.silent(ends, noon.Add(keepEvery)); !slices.Equal(got, []int{2}) {
		t.Errorf("%v", got)
	}
}

// Retention never empties a partition in which nobody decides.
func TestIdlePartitionsKeepARecord(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		for range 130 {
			i.works(t)
			time.Sleep(time.Minute)
		}
		for p := range 3 {
			if got := fmt.Sprint(kinds(t, k, p)); p != i.Log.home && !strings.Contains(got, "alive 1") {
				t.Errorf("partition %d: %s", p, got)
			}
		}
	})
}

// A rolling change of redis.shards, and a wipe in between: whoever divides payouts otherwise
// has no part in the rebuild.
func TestAHelperOfAnotherNumberOfShardsHasNoPart(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		builder := startKeeper(t, k, client, "pod-1", 1)
		before := builder.settles(t)
		ended, sent := history(t, k, before.ID)
		var helped atomic.Bool
		r.FlushAll()
		if err := builder.journal.Build(background, "planned", "", 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := builder.journal.Plan(background, "planned", 1, []epochs.Portion{{End: 15}}); err != nil {
			t.Fatal(err)
		}
		helper := startHooked(t, k, client, "pod-2", 2, func(_ Journal, step string) {
			if step == "restore" {
				helped.Store(true)
			}
		})
		time.Sleep(2 * time.Second)
		if helped.Load() {
			t.Error("it restored what it takes for its own")
		}
		helper.stop() // else it may be the one that begins anew, with its own number
		builder.CheckEpoch()
		builder.next(t, before)
		if got := builder.takeIn(t, append(ended, sent...)...); got != strings.Repeat("d", 60) {
			t.Errorf("outcomes %s", got)
		}
	})
}

// A panic costs a try, not the process: the keeper begins the epoch anew.
func TestAPanicWhileRebuildingIsSurvived(t *testing.T) {
	for _, step := range []string{"restore", "renew"} {
		t.Run(step, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				var armed atomic.Bool
				i := startHooked(t, k, client, "pod-1", 1, func(_ Journal, at string) {
					if step == "renew" && at == "restore" && armed.Load() {
						time.Sleep(claimFor / 2) // so that it comes to renewing
					}
					if at == step && armed.CompareAndSwap(true, false) {
						panic("boom")
					}
				})
				before := i.settles(t)
				ended, sent := history(t, k, before.ID)
				armed.Store(true)
				r.FlushAll()
				i.CheckEpoch()
				i.next(t, before)
				if armed.Load() {
					t.Fatal("nothing panicked")
				}
				if got := i.takeIn(t, append(ended, sent...)...); got != strings.Repeat("d", 60) {
					t.Errorf("outcomes %s", got)
				}
			})
		})
	}
}
