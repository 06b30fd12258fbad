package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/actions"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// speak has an action written as the shipped program does, without the cost of a process. Its id and its
// time are filled in.
func (r *run) speak(ctx context.Context, a *acts.Action) error {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	a.Time = time.Now()
	a.ID = acts.NewID(a.Time, random)
	record, err := acts.Write(*a, secrets.Secret{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = actions.Write(ctx, r.broker.client, r.topics.Actions, record)
	return err
}

// spoken are all actions that stand in the topic, as an instance reads them: the outcomes too.
func (r *run) spoken(ctx context.Context) (all []acts.Action, err error) {
	records, err := r.records(ctx, r.topics.Actions)
	for _, k := range records {
		record := acts.Record{Offset: k.Offset, Time: k.Time, Key: k.Key, Value: k.Value, Headers: headersOf(k.Headers)}
		a, result, why := acts.Parse(record, acts.Keys{})
		if result != acts.Obeyed {
			return nil, fmt.Errorf("the action at offset %d would be skipped: %s", k.Offset, why)
		}
		all = append(all, a)
	}
	return all, err
}

func headersOf(all []kafka.Header) (headers []acts.Header) {
	for _, h := range all {
		headers = append(headers, acts.Header{Name: h.Key, Value: h.Value})
	}
	return headers
}

// endings are the outcomes by action. A refusal behind the word that a cancel stands counts for nothing.
func endings(all []acts.Action) map[string][]acts.Ended {
	ended, stands := map[string][]acts.Ended{}, map[string]bool{}
	for _, a := range all {
		switch {
		case a.Kind == acts.Stands:
			stands[a.Of] = true
		case a.Kind == acts.Outcome && (a.Ended.Result != acts.Refused || !stands[a.Of]):
			ended[a.Of] = append(ended[a.Of], *a.Ended)
		}
	}
	return ended
}
