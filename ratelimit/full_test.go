package ratelimit

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// At maxmemory Redis refuses new commands. Open payouts must still be sent and asked about: so
// moments are granted, and "too fast" still lowers the rate.
func TestAFullRedisGrantsMoments(t *testing.T) {
	address := os.Getenv("DISBURSER_REDIS")
	if address == "" {
		t.Skip("set DISBURSER_REDIS to run on a real redis-server (make test-real does); miniredis knows no limit")
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	ctx := context.Background()
	limiter := func(name string) *Limiter {
		return New(client, Options{Namespace: "test", Name: name + strconv.FormatInt(time.Now().UnixNano(), 36), Rate: Rate{PerSecond: 100, Burst: 5}})
	}
	known := limiter("known-")
	if tickets, _, err := known.Take(ctx, 1); err != nil || len(tickets) != 1 {
		t.Fatal(tickets, err)
	}
	_, rest, _ := strings.Cut(client.Info(ctx, "memory").Val(), "used_memory:")
	bytes, _, _ := strings.Cut(rest, "\r")
	n, _ := strconv.Atoi(bytes)
	defer client.ConfigSet(ctx, "maxmemory", "0")
	if err := client.ConfigSet(ctx, "maxmemory", strconv.Itoa(n/2)).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(ctx, "test-full", "x", time.Second).Err(); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("it isn't full: %v", err)
	}
	for name, l := range map[string]*Limiter{"known": known, "a schedule that isn't there yet": limiter("new-")} {
		granted := 0
		for range 50 {
			tickets, wait, err := l.Take(ctx, 3)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			granted += len(tickets)
			for i := range tickets {
				tickets[i].Return()
			}
			time.Sleep(min(wait, 100*time.Millisecond))
			if granted >= 20 {
				break
			}
		}
		if granted < 20 {
			t.Errorf("%s: %d moments granted", name, granted)
		}
		if err := l.Told(ctx, time.Now(), true, 0); err != nil {
			t.Errorf("%s: too fast isn't heard: %v", name, err)
		}
	}
}
