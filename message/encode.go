package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"disburser/payout"
)

// onWire is a command as it stands in the commands topic (contract §1).
type onWire struct {
	TradeNo   string            `json:"tradeNo"`
	Merchant  string            `json:"merchant,omitempty"`
	Amount    string            `json:"amount"`
	Currency  string            `json:"currency,omitempty"`
	Payee     map[string]string `json:"payee"`
	Remark    string            `json:"remark,omitempty"`
	BatchID   string            `json:"batchId,omitempty"`
	BatchSize int               `json:"batchSize,omitempty"`
	NotBefore *time.Time        `json:"notBefore,omitempty"`
	ExpiresAt *time.Time        `json:"expiresAt,omitempty"`
}

// Encode writes a command so that Decode reads the very same one, or says why it can't.
// It holds the payee in clear: it is for the commands topic, and for no log.
func Encode(c payout.Command) ([]byte, error) {
	value, err := EncodeUnchecked(c)
	if err != nil {
		return nil, err
	}
	orders, err := Decode(value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode the command %q: %w", c.TradeNo, err)
	case orders[0].Invalid != "":
		return nil, fmt.Errorf("encode the command %s: %s", c.TradeNo, orders[0].Invalid)
	case !sameCommand(orders[0].Command, c):
		return nil, fmt.Errorf("encode the command %s: it would be read as another one: is every text UTF-8?", c.TradeNo)
	}
	return value, nil
}

// EncodeUnchecked writes a command without today's checks. The command was taken once, and its
// repeat must be recognised, though today's rules may be stricter.
func EncodeUnchecked(c payout.Command) ([]byte, error) {
	fields := c.Payee.Reveal()
	if fields == nil {
		fields = map[string]string{}
	}
	var value bytes.Buffer
	encoder := json.NewEncoder(&value)
	encoder.SetEscapeHTML(false) // six bytes for each & and <
	err := encoder.Encode(onWire{
		TradeNo: c.TradeNo, Merchant: c.Merchant, Amount: c.Amount.String(), Currency: c.Currency, Payee: fields,
		Remark: c.Remark, BatchID: c.BatchID, BatchSize: c.BatchSize, NotBefore: given(c.NotBefore), ExpiresAt: given(c.ExpiresAt),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the command %q: %w", c.TradeNo, err)
	}
	return bytes.TrimSuffix(value.Bytes(), []byte("\n")), nil
}

// given is in UTC: an offset with seconds could not be written.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// sameCommand compares by value what stands in a message.
func sameCommand(a, b payout.Command) bool {
	a.CurrencyFrom, b.CurrencyFrom = payout.FromCommand, payout.FromCommand
	return a.Fingerprint() == b.Fingerprint() && a.TradeNo == b.TradeNo && a.Amount == b.Amount && a.Remark == b.Remark &&
		a.BatchID == b.BatchID && a.BatchSize == b.BatchSize && a.NotBefore.Equal(b.NotBefore) && a.ExpiresAt.Equal(b.ExpiresAt)
}
