package app

import (
	"context"
	_ "embed" // for the rehearsal
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/rehearsal.lua
var rehearsalSource string

var rehearsal = redis.NewScript(rehearsalSource)

// triedAtOnce is how many slots are tried at a time. Each merchant has two, with two round trips each, and
// a thousand merchants would wait for seconds.
const triedAtOnce = 8

// rehearsalKeys are the names that the rehearsal writes to, one for each type of value.
const rehearsalKeys = "~string ~other ~hash ~sorted ~set"

// scriptCommands are all commands that the scripts of journal and ratelimit use, with their
// options. A Redis that lacks one is found by them before money moves; a test compares them
// with the scripts. The first deletes what a rehearsal left that wasn't allowed to. (After a
// write a script may write even at maxmemory.)
var scriptCommands = []string{
	"DEL " + rehearsalKeys,
	"TIME", "INFO server", "INFO replication",
	"SET ~string 1 PX 60000", "SET ~string 1 PXAT 4102444800000", "SET ~string 1", "SETRANGE ~string 0 2", "GET ~string",
	"INCRBY ~string 1", "DECRBY ~string 1", "MSET ~string 1 ~other 2", "MGET ~string ~other", "EXISTS ~string",
	"PEXPIREAT ~other 4102444800000", "PEXPIRE ~other 60000",
	"HSET ~hash a 1", "HINCRBY ~hash a 1", "HGET ~hash a", "HMGET ~hash a b", "HKEYS ~hash", "HGETALL ~hash", "HVALS ~hash", "HDEL ~hash a",
	"ZADD ~sorted 1 a", "ZADD ~sorted LT 1 a", "ZCOUNT ~sorted -inf 2", "ZRANGE ~sorted 0 0", "ZRANGE ~sorted 0 0 WITHSCORES",
	"ZRANGEBYSCORE ~sorted -inf 2", "ZRANGEBYSCORE ~sorted -inf 2 WITHSCORES LIMIT 0 1",
	"ZRANGEBYLEX ~sorted - + LIMIT 0 1", "ZMSCORE ~sorted a", "ZCARD ~sorted", "ZREM ~sorted a",
	"SADD ~set a", "SMEMBERS ~set", "SREM ~set a", "SCAN 0 COUNT 1",
	"DEL " + rehearsalKeys,
}

// refusal is a command that Redis doesn't let us use, and what it says.
type refusal struct{ command, says string }

// checkCommands tries every command that is needed, where it is needed: from outside, and
// inside of scripts on each slot that will be used. A command may be renamed, forbidden by an
// ACL, or forbidden inside of scripts by a managed service. A running service would take all
// that for a Redis that is away, and wait for ever.
func (a *App) checkCommands(ctx context.Context) error {
	var all []refusal
	var mu sync.Mutex
	refused := func(some ...refusal) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, some...)
	}
	note := func(command string, err error) error {
		if err == nil || errors.Is(err, redis.Nil) {
			return nil
		}
		if !isRefusal(err) {
			return fmt.Errorf("%s: %w", command, err)
		}
		refused(refusal{command, withoutPlace(err.Error())})
		return nil
	}
	if err := note("PING", a.redis.Ping(ctx).Err()); err != nil {
		return err
	}
	if err := note("INFO", a.redis.Info(ctx, "server").Err()); err != nil {
		return err
	}
	err := several(triedAtOnce, a.slots(), func(prefix string) error {
		some, err := a.tryCommands(ctx, prefix, note)
		refused(some...)
		return err
	})
	if err != nil {
		return err
	}
	return complaint(a.config.Redis.Namespace, all)
}

// several does something with each value, with a few of them at a time. It answers the first error; the
// goroutine that has met one does nothing more.
func several[T any](atOnce int, values []T, do func(T) error) error {
	next, errs := make(chan T), make(chan error, atOnce)
	for range atOnce {
		go func() {
			var first error
			for v := range next {
				if first == nil {
					first = do(v)
				}
			}
			errs <- first
		}()
	}
	for _, v := range values {
		next <- v
	}
	close(next)
	var first error
	for range atOnce {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// slots are the beginnings of the names that are used, one for each slot of a cluster.
func (a *App) slots() []string {
	all := a.shards.Prefixes()
	for _, l := range a.merchants.limiters() {
		all = append(all, fmt.Sprintf("%s:{rate:%s}:", l.Namespace, l.Name))
	}
	slices.Sort(all)
	return all
}

// tryCommands runs the rehearsal on a slot. EVALSHA comes last: by then the script is known.
func (a *App) tryCommands(ctx context.Context, prefix string, note func(string, error) error) ([]refusal, error) {
	keys, args := []string{prefix, prefix + "moving"}, []any{}
	for _, c := range scriptCommands {
		args = append(args, strings.ReplaceAll(c, " ", "\n"))
	}
	answer, failed := rehearsal.Eval(ctx, a.redis, keys, args...).StringSlice()
	if err := note("EVAL", failed); err != nil || failed != nil {
		return nil, err
	}
	if err := note("EVALSHA", rehearsal.EvalSha(ctx, a.redis, keys).Err()); err != nil && !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return nil, err
	}
	var refused []refusal
	for i := 0; i+1 < len(answer); i += 2 {
		name, _, _ := strings.Cut(answer[i], "\n")
		switch r := (refusal{name, withoutPlace(answer[i+1])}); {
		case strings.Contains(r.says, "syntax error"): // a server that is too old for an option
			refused = append(refused, refusal{name, r.says + " (" + strings.ReplaceAll(answer[i], "\n", " ") + ")"})
		case strings.Contains(r.says, "OOM "): // it is there; what was full when it was tried may not be later
		case isPassing(r.says):
			return nil, fmt.Errorf("%s: %s", r.command, r.says)
		default:
			refused = append(refused, r)
		}
	}
	return refused, nil
}

// passing are the errors of a Redis that will be well again, or is the wrong server for now.
var passing = []string{"READONLY ", "LOADING ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ", "BUSY ", "NOREPLICAS ", "MISCONF "}

func isPassing(says string) bool {
	return slices.ContainsFunc(passing, func(word string) bool { return strings.Contains(says, word) })
}

// isRefusal tells whether Redis answered that it doesn't do this at all: not that it is
// away, nor that it can't now.
func isRefusal(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.HasPrefix(text, "noperm") || strings.Contains(text, "unknown command") || strings.Contains(text, "not allowed") ||
		strings.Contains(text, "not supported") || strings.Contains(text, "disabled") ||
		strings.Contains(text, "error running script") || strings.Contains(text, "error compiling script")
}

// withoutPlace cuts off where in a script it was: " script: …, on @user_script:10.".
func withoutPlace(says string) string {
	says, _, _ = strings.Cut(says, " script: ")
	return says
}

// complaint names what is refused, together what is refused with the same words.
func complaint(namespace string, all []refusal) error {
	if len(all) == 0 {
		return nil
	}
	var order, rights []string
	by := map[string][]string{}
	for _, r := range all {
		right := "+" + strings.ToLower(r.command)
		if slices.Contains(rights, right) {
			continue
		}
		rights = append(rights, right)
		if _, known := by[r.says]; !known {
			order = append(order, r.says)
		}
		by[r.says] = append(by[r.says], r.command)
	}
	var parts []string
	for _, says := range order {
		parts = append(parts, fmt.Sprintf("%s (it says: %s)", strings.Join(by[says], ", "), says))
	}
	return fmt.Errorf("%w: redis lacks or refuses what the scripts need: %s. Undo rename-command, let redis.username use it on all keys of redis.namespace (ACL: ~%s:* %s), or take a Redis that allows it inside of scripts",
		ErrSetup, strings.Join(parts, "; "), namespace, strings.Join(rights, " "))
}
