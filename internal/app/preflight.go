package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
	"disburser/payout/finding"
	"disburser/paypro"
)

// lookAgain is the pause before a Kafka or Redis that is away is tried again.
const lookAgain = time.Second

// preflight checks what must hold before money moves. Servers that are away are waited
// for; what somebody has to mend is an error that wraps ErrSetup.
func (a *App) preflight(ctx context.Context) error {
	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{{"kafka", a.checkTopics}, {"redis", a.checkRedis}} {
		said := ""
		for {
			err := check.run(ctx)
			if err == nil {
				break
			}
			if errors.Is(err, ErrSetup) {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
			a.health.starting(check.name + ": " + err.Error())
			if said != err.Error() {
				said = err.Error()
				a.logger.Warn().Err(err).Str("waiting_for", check.name).Msg("not there yet, trying again")
			}
			sleep(ctx, lookAgain)
		}
	}
	a.health.starting("")
	return nil
}

func (a *App) checkTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var missing []string
	t := a.config.Kafka.Topics
	topics := []string{t.Commands, t.Results, t.Decisions, t.DeadLetter, t.Actions}
	counts, err := partition.Counts(ctx, a.kafka.client, topics...)
	if err != nil {
		return away(err, strings.Join(a.config.Kafka.Brokers, ",")+": ", "kafka.tls", a.config.Kafka.TLS.Enabled)
	}
	for _, topic := range topics {
		if counts[topic] == 0 {
			missing = append(missing, topic)
		}
	}
	a.partitions.Store(int64(counts[t.Commands]))
	if len(missing) > 0 {
		return fmt.Errorf("%w: kafka has no topic %s: create it, or correct kafka.topics", ErrSetup, strings.Join(missing, ", "))
	}
	if err := a.checkActions(ctx, counts[t.Actions]); err != nil {
		return err
	}
	return a.checkTopicSettings(ctx, topics)
}

// away adds to an error what it lacks: whose it is, and why a server may hang up.
func away(err error, whose, key string, isTLS bool) error {
	if (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && !isTLS {
		return fmt.Errorf("%s%w (it closed the connection: does it want %s?)", whose, err, key)
	}
	return fmt.Errorf("%s%w", whose, err)
}

// Probe tries Kafka, Redis and a signed query per merchant once, for check --connect.
// It answers a sentence for each that is well, and the problems.
func (a *App) Probe(ctx context.Context) (well []string, problems []error) {
	add := func(what, sentence string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
			return
		}
		well = append(well, what+": "+sentence)
	}
	add("kafka", "all topics are there", a.checkTopics(ctx))
	sentence, err := a.redisSentence(ctx)
	add("redis", sentence, err)
	for _, m := range a.merchants {
		sentence, err := m.probe(ctx)
		add("merchants."+m.name, sentence, err)
		if m.config.Contradiction != string(payout.Hold) {
			well = append(well, "merchants."+m.name+".contradiction: "+announcesContradictions)
		}
	}
	return well, problems
}

// announcesContradictions says why the default is not to hold.
const announcesContradictions = "announce, because no page of the provider says in which unit a query's amount is: " +
	"look at whether paidAmount is what was ordered in the first results, then set it to hold"

// probe asks for the balance, which proves the signature without moving money. Where there is
// no such call (some countries' path is a guess) it asks about a tradeNo that doesn't exist. A
// readable answer shows that the provider can be reached. But outer 8000 is the answer to a
// wrong signature too.
func (m *merchant) probe(ctx context.Context) (string, error) {
	_, refused := m.client.Balance(ctx)
	if refused == nil {
		return "a signed balance query was accepted", nil
	}
	if errors.Is(refused, paypro.ErrRefused) {
		return "", refused
	}
	f := m.client.Ask(ctx, payout.Command{TradeNo: "check-" + time.Now().UTC().Format("20060102150405")}, time.Time{})
	switch {
	case f.Served, f.Kind == finding.NoRecord && f.Status == "0000": // no_record.empty_data
		return "a signed query was accepted", nil
	case f.HTTPStatus == http.StatusOK && f.Kind == finding.NoRecord:
		return fmt.Sprintf("it answers a query about an unknown tradeNo with %s %q, which may also mean a wrong signature: not proven (%v)", f.Status, f.StatusText, refused), nil
	}
	return "", fmt.Errorf("a signed query: %s; before that, %w", f.Detail, refused)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
