package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout/epochs"
	"disburser/payout/intake"
)

// Scripts are the names of the journal's scripts, for metrics that show zeros.
var Scripts = []string{"insert", "lease", "apply", "resolve", "marks", "position", "anchor", "due", "counts", "linger", "watermark", "epoch", "build", "open", "restore", "unsent", "plan", "share", "scan", "convert", "accounts", "clock", "known", "act", "mark", "told", "carry", "take", "decided", "peek", "park", "parked", "action", "openof", "touch"}

// unbelieving are the scripts that begin epochs or look at them. They run without an open
// epoch.
var unbelieving = map[string]bool{"epoch": true, "build": true, "open": true, "restore": true, "unsent": true, "plan": true, "share": true, "scan": true, "convert": true, "clock": true, "known": true, "decided": true}

// deduping are the scripts that read or write the dedup window.
var deduping = map[string]bool{"insert": true, "apply": true, "restore": true, "convert": true, "known": true, "take": true}

// grouping are the scripts that work on many records at once.
var grouping = map[string]bool{"insert": true, "lease": true, "apply": true, "resolve": true, "take": true, "peek": true, "park": true}

// acting are the scripts about one action.
var acting = map[string]bool{"act": true, "mark": true, "told": true, "carry": true, "touch": true}

// restoring are the scripts of a rebuild that put payouts back into their lanes.
var restoring = map[string]bool{"restore": true, "open": true}

// sharing are the scripts that payouts cost again and again. They share round trips.
var sharing = map[string]bool{"lease": true, "apply": true, "due": true, "peek": true}

// run calls a script and turns Redis' refusals into the package's errors.
func (j *Journal) run(ctx context.Context, name string, args ...any) ([]any, error) {
	return j.runAs(ctx, name, append([]any{j.epoch.id()}, args...))
}

// runAs runs a script on the shard's prefix and on a second key that never exists. While a
// cluster moves the slot, both of its servers refuse a script that names several missing keys.
// With one key the receiving server would run it on the half that has arrived.
func (j *Journal) runAs(ctx context.Context, name string, args []any) ([]any, error) {
	began := time.Now()
	client := redis.Scripter(j.client)
	if sharing[name] {
		client = j.shared
	}
	result, err := scripts[name]().Run(ctx, client, []string{j.prefix, j.prefix + "moving"}, args...).Result()
	j.observe(name, time.Since(began))
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, refusal(err))
	}
	if list, ok := result.([]any); ok {
		return list, nil
	}
	return []any{result}, nil
}

func refusal(err error) error {
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "EPOCH"):
		_, why, _ := strings.Cut(text, " ")
		return fmt.Errorf("%w: %s", epochs.ErrOver, why)
	case strings.HasPrefix(text, "LAYOUT"):
		_, what, _ := strings.Cut(text, " ")
		return fmt.Errorf("%w: %s", epochs.ErrNewerLayout, what)
	case strings.HasPrefix(text, "POSITION"):
		return fmt.Errorf("%w: %s", intake.ErrPosition, text)
	case strings.HasPrefix(text, "ACTIONS"):
		return fmt.Errorf("%w: %s", intake.ErrActions, text)
	case strings.HasPrefix(text, "OOM"):
		return fmt.Errorf("%w: %s", intake.ErrFull, text)
	}
	return err
}

// Readers of a script's answer: numbers come as integers or as text, by script.

func word(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	switch v := answer[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func number(answer []any, i int) int64 {
	n, _ := strconv.ParseFloat(word(answer, i), 64)
	return int64(n)
}

func instant(answer []any, i int) time.Time { return timeOf(number(answer, i)) }
