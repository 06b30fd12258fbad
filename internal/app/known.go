package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/config"
	"disburser/disburse"
	"disburser/journal"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/payout/inquiry"
	"disburser/ratelimit"
)

// lookup answers what is known of a payout. The admin HTTP and the command show ask the same way. What only a running
// instance knows is a function, nil for the command.
type lookup struct {
	config config.Config
	client redis.Cmdable
	shards journal.Shards

	stops    func(merchant, batchID, tradeNo string) acts.Stop
	doubt    func(shard int) string // why this instance believes nothing of a shard, "" if it does
	intake   func() string          // why it reads no commands, "" if it does
	breakers func(shard int, merchant string) (send, query int)
}

// ErrNoTradeNo says that nothing can be known under a name.
var ErrNoTradeNo = fmt.Errorf("that is no tradeNo: it has 1 to %d of A-Z a-z 0-9 _ -", message.MaxTradeNo)

// answer looks the payout up. An error says that Redis can't be asked.
func (q lookup) answer(ctx context.Context, tradeNo string) (inquiry.Answer, error) {
	f, err := q.shards.Known(ctx, tradeNo)
	if err != nil {
		return inquiry.Answer{}, fmt.Errorf("look up payout %s: %w", tradeNo, err)
	}
	shard := q.shards.Of(tradeNo)
	if q.doubt != nil {
		if why := q.doubt(shard); why != "" {
			f.Doubt = "this instance is in no epoch: " + why
		}
	}
	around, err := q.around(ctx, f, shard)
	if err != nil {
		return inquiry.Answer{}, err
	}
	return inquiry.Tell(f, around, q.config.Kafka.Topics.Commands), nil
}

// around gathers what holds a payout up beside its own record.
func (q lookup) around(ctx context.Context, f inquiry.Found, shard int) (inquiry.Around, error) {
	p := f.Payout
	a := inquiry.Around{
		Stop: q.stops(p.Merchant, p.BatchID, p.TradeNo), Grace: q.config.UnknownMerchantGrace,
		Full: f.Opens >= q.config.Disburse.MaxOpen,
	}
	if q.intake != nil {
		a.Intake = q.intake()
	}
	m, configured := q.config.Merchants[p.Merchant]
	if !configured {
		return a, nil
	}
	a.Known, a.Policy = true, policy(m)
	var err error
	if a.Sends, err = q.calls(ctx, p.Merchant, disburse.OperationSend, m.Send, f.At); err != nil {
		return a, err
	}
	if a.Asks, err = q.calls(ctx, p.Merchant, disburse.OperationQuery, m.Query, f.At); err != nil {
		return a, err
	}
	if q.breakers != nil {
		send, query := q.breakers(shard, p.Merchant)
		a.Sends.Breaker, a.Asks.Breaker = inquiry.Breaker(send), inquiry.Breaker(query)
	}
	return a, nil
}

func (q lookup) calls(ctx context.Context, merchant, operation string, r config.Rate, now time.Time) (inquiry.Calls, error) {
	s, err := ratelimit.Look(ctx, q.client, ratelimit.Options{
		Namespace: q.config.Redis.Namespace, Name: limiterName(merchant, operation), Rate: rateOf(r), MaxPause: q.config.Breaker.MaxOpenFor,
	}, now)
	return inquiry.Calls{PerSecond: s.PerSecond, Agreed: r.Rate, RestUntil: s.RestUntil, NextProbe: s.NextProbe, OpenFor: q.config.Breaker.MaxOpenFor}, err
}

// lookup is that of a running instance.
func (a *App) lookup() lookup {
	a.reloading.Lock()
	c := a.running
	a.reloading.Unlock()
	return lookup{
		config: c, client: a.redis, shards: a.shards, stops: a.actions.Stops,
		doubt: func(shard int) string {
			if e, why := a.keepers[shard].Epoch(); e.ID == "" {
				return why
			}
			return ""
		},
		intake:   func() string { _, stopped := a.consumer.Status(); return stopped },
		breakers: func(shard int, merchant string) (send, query int) { return a.loops[shard].Breakers(merchant) },
	}
}

// lookUpFor is how long an answer may take.
const lookUpFor = 5 * time.Second

// showPayout answers GET /payouts/{tradeNo}.
func (a *App) showPayout(w http.ResponseWriter, r *http.Request) {
	tradeNo := r.PathValue("tradeNo")
	if !message.ValidTradeNo(tradeNo) {
		reply(w, http.StatusNotFound, map[string]any{"error": ErrNoTradeNo.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookUpFor)
	defer cancel()
	answer, err := a.lookup().answer(ctx, tradeNo)
	switch {
	case err != nil:
		reply(w, http.StatusServiceUnavailable, map[string]any{"tradeNo": tradeNo, "error": err.Error()})
	case answer.Missing():
		reply(w, http.StatusNotFound, map[string]any{"tradeNo": tradeNo, "state": answer.State, "error": answer.Why})
	case answer.Undecided():
		reply(w, http.StatusServiceUnavailable, map[string]any{"tradeNo": tradeNo, "state": answer.State, "error": answer.Why})
	default:
		reply(w, http.StatusOK, answer)
	}
}

// Show looks a payout up in Redis and in the topic of the actions. It joins nothing and changes nothing. unread says why
// the actions couldn't be read; then nobody knows whether it is paused.
func Show(ctx context.Context, c config.Config, o Options, tradeNo string) (answer inquiry.Answer, unread, err error) {
	if !message.ValidTradeNo(tradeNo) {
		return answer, nil, ErrNoTradeNo
	}
	o = o.withDefaults()
	client := newRedis(c.Redis, o.Instance, o.DialRedis)
	defer func() { _ = client.Close() }()
	shards := journal.NewShards(client, c.Redis.Shards, journal.Options{Namespace: c.Redis.Namespace, Window: c.Redis.DedupWindow}, func() {})
	view, unread := readActions(ctx, c, o)
	answer, err = lookup{
		config: c, client: client, shards: shards,
		stops: func(merchant, batchID, tradeNo string) acts.Stop {
			return view.Stops(unread == nil, merchant, batchID, tradeNo)
		},
	}.answer(ctx, tradeNo)
	if err != nil {
		err = away(err, "", "redis.tls", c.Redis.TLS)
	}
	return answer, unread, err
}

// readActions reads the topic of the actions to its end.
func readActions(ctx context.Context, c config.Config, o Options) (*acts.View, error) {
	said, err := NewSaid(c, o)
	if err != nil {
		return acts.NewFold(acts.Rules{}).View(), err
	}
	defer said.Close()
	return said.InForce(ctx)
}
