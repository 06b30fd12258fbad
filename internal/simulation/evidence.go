package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout/acts"
)

// evidence is what stands in Kafka, each with when it was appended.
type evidence struct {
	commands  []command
	results   map[string][]result // by tradeNo, in order
	decisions []decision
	letters   map[string]message.Code // by origin
	outcomes  []outcome
	stands    map[string]bool // batches' cancels that can't be refused any more

	next map[place]int64
}

type place struct {
	topic     string
	partition int
}

type command struct {
	partition int
	offset    int64
	at        time.Time
	tradeNos  []string
	carried   bool // published again by us, in place of the earlier ones
}

type result struct {
	id    string
	event message.Event
	at    time.Time
}

// decision is a record of payout.decisions; a valid one has no foreign fence before it.
type decision struct {
	message.Decision
	partition int
	offset    int64
	at        time.Time
	valid     bool
}

// outcome is what an instance has said of an action.
type outcome struct {
	ID       string         `json:"id"`
	Kind     string         `json:"kind"`
	Action   string         `json:"action"`
	Result   string         `json:"result"`
	TradeNo  string         `json:"tradeNo"`
	Shard    *int           `json:"shard"`
	Counts   map[string]int `json:"counts"`
	Detail   string         `json:"detail"`
	Evidence *acts.Evidence `json:"evidence"`
	Certain  *bool          `json:"certain"`

	signed bool
	at     time.Time
}

func outcomeIn(r partition.Record) (o outcome) {
	if err := json.Unmarshal(r.Value, &o); err != nil {
		return outcome{}
	}
	for _, h := range r.Headers {
		o.signed = o.signed || h.Key == "sig"
	}
	return o
}

// said takes what an instance says of an action. A cancel that stands can't be refused: that is void (protocol A10).
func (e *evidence) said(o outcome) {
	switch {
	case o.Kind == "stands":
		e.stands[o.Action] = true
	case o.Kind == "outcome" && (o.Result != "refused" || !e.stands[o.Action]):
		e.outcomes = append(e.outcomes, o)
	}
}

// certain tells that it doesn't say that it may have happened.
func (o outcome) certain() bool { return o.Certain == nil || *o.Certain }

// place is what it is about.
func (o outcome) place() string {
	if o.TradeNo == "" && o.Shard != nil {
		return fmt.Sprint("shard:", *o.Shard)
	}
	return "payout:" + o.TradeNo
}

func newEvidence() *evidence {
	return &evidence{results: map[string][]result{}, letters: map[string]message.Code{}, stands: map[string]bool{}, next: map[place]int64{}}
}

// gather reads what has been added since.
func (e *evidence) gather(ctx context.Context, b *broker) {
	for topic := range partitions {
		e.read(ctx, b, topic)
	}
}

// read reads what has been added to a topic.
func (e *evidence) read(ctx context.Context, b *broker, topic string) {
	for p := range partitions[topic] {
		at := place{topic, p}
		records, next := b.read(ctx, topic, p, e.next[at])
		for _, r := range records {
			e.take(b, at, r)
		}
		e.next[at] = next
	}
}

func (e *evidence) take(b *broker, at place, r partition.Record) {
	switch at.topic {
	case trial.DefaultTopics.Commands:
		c := command{
			partition: at.partition, offset: r.Offset, at: r.Time, carried: message.DecodeCarried(message.HeadersOf(r.Headers)).State != 0,
		}
		orders, _ := message.Decode(r.Value) // unreadable: a dead letter
		for _, o := range orders {
			if o.Unreadable == nil {
				c.tradeNos = append(c.tradeNos, o.Command.TradeNo)
			}
		}
		e.commands = append(e.commands, c)
	case trial.DefaultTopics.Results:
		m := message.New(r.Key, r.Value, r.Headers)
		v, err := message.DecodeEvent(m)
		if err != nil {
			v.TradeNo = "unreadable: " + err.Error()
		}
		e.results[v.TradeNo] = append(e.results[v.TradeNo], result{m.Header(message.EventIDHeader), v, b.appended(at.topic, at.partition, r.Offset)})
	case trial.DefaultTopics.Decisions:
		d := decision{partition: at.partition, offset: r.Offset, at: b.appended(at.topic, at.partition, r.Offset)}
		d.Decision, _ = message.DecodeDecision(r.Value) // only disbursers write there
		e.decisions = append(e.decisions, e.validate(d))
	case trial.DefaultTopics.Actions:
		o := outcomeIn(r)
		o.at = b.appended(at.topic, at.partition, r.Offset)
		e.said(o)
	case trial.DefaultTopics.DeadLetter:
		d, err := message.DecodeDeadLetter(message.New(r.Key, r.Value, r.Headers))
		if err != nil { // no such code is due: the oracle names it
			d.Code = message.Code("unreadable: " + err.Error())
		}
		e.letters[fmt.Sprint(d.Source.Partition, "/", d.Source.Offset, "/", d.Index)] = d.Code
	}
}

// validate looks at the last fence of its shard before a decision.
func (e *evidence) validate(d decision) decision {
	for i := len(e.decisions) - 1; i >= 0; i-- {
		if f := e.decisions[i]; f.partition == d.partition && f.Shard == d.Shard && f.Kind == message.KindFence {
			d.valid = f.Epoch.ID == d.Epoch.ID
			break
		}
	}
	return d
}

// final is a payout's first final event.
func (e *evidence) final(tradeNo string) (result, bool) {
	for _, r := range e.results[tradeNo] {
		if r.event.Type != message.EventHeld {
			return r, true
		}
	}
	return result{}, false
}

// held tells that a payout is visibly held.
func (e *evidence) held(tradeNo string) bool { return len(e.results[tradeNo]) > 0 }
