package message_test

import (
	"fmt"

	"disburser/message"
)

// A message of payout.commands becomes orders: one, or one for each payout of a bulk. The
// payee prints as ***, wherever it is printed.
func ExampleDecode() {
	orders, err := message.Decode([]byte(`{"batchId": "2026-11", "merchant": "eg-main", "payouts": [
		{"tradeNo": "t-1", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}},
		{"tradeNo": "t-2", "amount": "-5", "payee": {"customerName": "nour", "walletId": "01123456780"}}]}`))
	if err != nil {
		fmt.Println("a dead letter:", err)
		return
	}
	for _, o := range orders {
		fmt.Println(o.Command.TradeNo, o.Command.Merchant, o.Command.BatchID, o.Command.Payee, o.Invalid != "")
	}
	// Output:
	// t-1 eg-main 2026-11 *** false
	// t-2 eg-main 2026-11 *** true
}
