package producer

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/message"
	"disburser/payout"
)

// Carry publishes the commands of open payouts again, with a header that says so and
// whether they may have been sent (protocol I5). Publishing one twice is harmless.
func (p *Producer) Carry(ctx context.Context, payouts []payout.Payout) error {
	messages := make([]kafka.Message, len(payouts))
	for i, o := range payouts {
		command := o.Command
		command.Currency = named(o)
		value, err := message.EncodeKnown(command)
		if err != nil {
			return fmt.Errorf("producer: carry %s: %w", o.TradeNo, err)
		}
		state := payout.StateSending
		switch {
		case o.State == payout.StateHeld: // so that a lost journal holds it again, whatever absence proves
			state = payout.StateHeld
		case o.State == payout.StateReceived && o.Sends == 0:
			state = payout.StateReceived
		}
		messages[i] = kafka.Message{Key: []byte(o.TradeNo), Value: value, Headers: []kafka.Header{
			header(message.CarriedHeader, state.String()),
			header(message.CarriedReceivedAt, o.ReceivedAt.UTC().Format(time.RFC3339Nano)), header(message.CarriedCountry, o.Country),
		}}
		if o.Trace.Parent != "" {
			messages[i].Headers = append(messages[i].Headers, header("traceparent", o.Trace.Parent), header("tracestate", o.Trace.State))
		}
	}
	_, err := p.commands.publish(ctx, messages)
	return err
}

// named is the currency that the command has named: one that was filled in for its country
// is no part of the fingerprint, and must not become one.
func named(p payout.Payout) string {
	bare := p.Command
	if bare.Currency = ""; bare.Fingerprint() == p.Fingerprint {
		return ""
	}
	return p.Currency
}
