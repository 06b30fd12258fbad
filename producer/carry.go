package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/payout"
)

// command is a payout's command as it stands in the commands topic (README, Messages).
type command struct {
	TradeNo   string            `json:"tradeNo"`
	Merchant  string            `json:"merchant"`
	Amount    string            `json:"amount"`
	Currency  string            `json:"currency,omitempty"`
	Payee     map[string]string `json:"payee"`
	Remark    string            `json:"remark,omitempty"`
	BatchID   string            `json:"batchId,omitempty"`
	BatchSize int               `json:"batchSize,omitempty"`
	NotBefore *time.Time        `json:"notBefore,omitempty"`
	ExpiresAt *time.Time        `json:"expiresAt,omitempty"`
}

// Carry publishes the commands of open payouts again, with a header that says so and
// whether they may have been sent (protocol I5). Publishing one twice is harmless.
func (p *Producer) Carry(ctx context.Context, payouts []payout.Payout) error {
	messages := make([]kafka.Message, len(payouts))
	for i, o := range payouts {
		value, err := json.Marshal(command{
			TradeNo: o.TradeNo, Merchant: o.Merchant, Amount: o.Amount.String(), Currency: named(o), Payee: o.Payee.Reveal(),
			Remark: o.Remark, BatchID: o.BatchID, BatchSize: o.BatchSize, NotBefore: given(o.NotBefore), ExpiresAt: given(o.ExpiresAt),
		})
		if err != nil {
			return fmt.Errorf("producer: encode the command of %s: %w", o.TradeNo, err)
		}
		state := payout.StateSending
		switch {
		case o.State == payout.StateHeld: // so that a lost journal holds it again, whatever absence proves
			state = payout.StateHeld
		case o.State == payout.StateReceived && o.Sends == 0:
			state = payout.StateReceived
		}
		messages[i] = kafka.Message{Key: []byte(o.TradeNo), Value: value, Headers: []kafka.Header{
			header(payout.CarriedHeader, state.String()),
			header(payout.CarriedReceivedAt, o.ReceivedAt.UTC().Format(time.RFC3339Nano)), header(payout.CarriedCountry, o.Country),
		}}
		if o.Trace.Parent != "" {
			messages[i].Headers = append(messages[i].Headers, header("traceparent", o.Trace.Parent), header("tracestate", o.Trace.State))
		}
	}
	_, err := publish(ctx, p.commands, messages)
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

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
