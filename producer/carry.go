package producer

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"

	"disburser/message"
	"disburser/payout"
)

// Carry publishes the commands of open payouts again, with headers that say so and whether they
// may have been sent (protocol I5). Publishing one twice is harmless.
func (p *Producer) Carry(ctx context.Context, payouts []payout.Payout) error {
	messages := make([]kafka.Message, len(payouts))
	for i, o := range payouts {
		m, err := message.EncodeCarried(o)
		if err != nil {
			return fmt.Errorf("producer: carry %s: %w", o.TradeNo, err)
		}
		messages[i] = kafkaMessage(m)
	}
	_, err := p.commands.publish(ctx, messages)
	return err
}

// kafkaMessage is a message as the library takes it.
func kafkaMessage(m message.Message) kafka.Message {
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)}
}
