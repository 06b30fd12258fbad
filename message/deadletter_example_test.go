package message_test

import (
	"fmt"

	"disburser/message"
)

// A payroll system reads payout.dead-letter. Each says why no payout came of a command, and where
// the command stands.
func ExampleDecodeDeadLetter() {
	headers := []kafkaHeader{
		{"traceparent", []byte("00-a-b-01")}, // the command's own
		{"error", []byte("there is no valid tradeNo (1 to 64 of A-Z a-z 0-9 _ -)")}, {"error_code", []byte("malformed")},
		{"source_topic", []byte("payout.commands")}, {"source_partition", []byte("3")}, {"source_offset", []byte("812")},
		{"time", []byte("2026-11-25T06:00:00Z")}, {"index", []byte("4")},
	}
	d, err := message.DecodeDeadLetter(message.New(nil, []byte(`{"tradeNo":"?"}`), headers))
	if err != nil {
		fmt.Println("no dead letter:", err)
		return
	}
	fmt.Printf("%s/%d, offset %d, payout %d: %s: %s\n", d.Topic, d.Source.Partition, d.Source.Offset, d.Index, d.Code, d.Reason)
	// Output:
	// payout.commands/3, offset 812, payout 4: malformed: there is no valid tradeNo (1 to 64 of A-Z a-z 0-9 _ -)
}
