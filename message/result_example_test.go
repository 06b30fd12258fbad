package message_test

import (
	"fmt"

	"disburser/message"
)

// kafkaHeader stands for the header type of a Kafka library: kafka.Header of kafka-go, or
// kgo.RecordHeader of franz-go.
type kafkaHeader struct {
	Key   string
	Value []byte
}

// A payroll system reads payout.results. The same event may come more than once, so it drops
// repeats by EventID. Held is the only type after which another event follows.
func ExampleDecodeEvent() {
	value := `{"eventId":"4289bd95","type":"payout.paid","tradeNo":"20261125-000001","merchant":"eg-main","country":"egypt",
		"batchId":"2026-11-payroll","amount":"300","currency":"EGP","status":"0000","statusText":"SUCCESS","platformTradeNo":"vuu9apjq",
		"paidAmount":"300","remark":"","reason":"","sends":1,"asks":2,"settledAt":"2026-11-22T21:57:27.310Z"}`
	headers := []kafkaHeader{{"ce_id", []byte("4289bd95")}, {"ce_time", []byte("2026-11-22T21:57:27.31Z")}, {"fingerprint", []byte("cqIYBLrDfOItBWxG")}}

	seen := map[string]bool{}
	for range 2 { // it came twice
		e, err := message.DecodeEvent(message.New([]byte("20261125-000001"), []byte(value), headers))
		if err != nil {
			fmt.Println("no result:", err)
			return
		}
		if seen[e.EventID] {
			continue
		}
		seen[e.EventID] = true
		switch state, final := message.FinalOf(e.Type); {
		case final:
			fmt.Println(e.TradeNo, "ended:", state, e.PaidAmount, e.Currency, e.Reason)
		case e.Type == message.EventHeld:
			fmt.Println(e.TradeNo, "needs a person:", e.Reason)
		}
	}
	// Output:
	// 20261125-000001 ended: paid 300 EGP
}
