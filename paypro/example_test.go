package paypro_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"disburser/payout"
	"disburser/payout/money"
	"disburser/payout/secrets"
	"disburser/paypro"
	"disburser/paypro/paysim"
)

// The simulator in a test: it loses every reply to a send, and pays nevertheless. The finding of
// the send is unclear; the query tells the outcome.
func Example_paysim() {
	sim := paysim.New(paysim.Config{
		Merchants: []paysim.Merchant{{Country: "egypt", MerchantNo: "0000000001", Secret: "simulated", BasePath: "/egy-pay"}},
		Behavior:  paysim.Behavior{LostReply: 1},
	})
	server := httptest.NewServer(sim)
	defer server.Close()

	client, err := paypro.New(paypro.Settings{
		Name: "eg-main", Country: "egypt", BaseURL: server.URL + "/egy-pay", MerchantNo: "0000000001",
		Secret: secrets.New("simulated"), NotifyURL: "https://example.com/notify",
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	amount, _ := money.Parse("300")
	command := payout.Command{
		TradeNo: "t-1", Merchant: "eg-main", Amount: amount, Remark: "salary",
		Payee: payout.NewPayee(map[string]string{"customerName": "kevin", "walletId": "01123456789"}),
	}

	send := client.Send(context.Background(), command, time.Now().Add(5*time.Second), nil)
	fmt.Println("send:", send.Kind)
	ask := client.Ask(context.Background(), command, time.Time{})
	fmt.Println("ask: ", ask.Kind, ask.PaidAmount)
	fmt.Println("the simulator's books: executed", sim.Ledger().Executed("0000000001", "t-1"), "time")
	// Output:
	// send: unclear
	// ask:  paid 300
	// the simulator's books: executed 1 time
}
