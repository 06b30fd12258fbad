package app

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/config"
	"disburser/internal/embedded"
	"disburser/internal/trial"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

func testConfig() config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = []string{"kafka:9092"}, []string{"redis:6379"}
	eg := config.DefaultMerchant()
	eg.Country, eg.BaseURL, eg.MerchantNo, eg.Secret = "egypt", "http://paysim/egy-pay", "0000000001", secrets.New("secret-eg")
	eg.NotifyURL, eg.Currency, eg.NoRecord.Every, eg.NoRecord.Then, eg.Timeout = "https://example.com/n", "EGP", time.Second, "resend", 2*time.Second
	br := eg
	br.Country, br.BaseURL, br.MerchantNo, br.Secret, br.Currency = "brazil", "http://paysim/brz-pay", "0000000002", secrets.New("secret-br"), "BRL"
	c.Merchants = map[string]config.Merchant{"eg-main": eg, "br-main": br}
	c.UnknownMerchantGrace = time.Second
	return c
}

func TestAPayrollGoesThrough(t *testing.T) {
	topics := trial.DefaultTopics
	k, err := embedded.NewKafka(map[string]int{topics.Commands: 4, topics.Results: 2, topics.Decisions: 2, topics.DeadLetter: 1, topics.Actions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sim := paysim.New(paysim.Config{Seed: 1, Merchants: []paysim.Merchant{
		{Country: "egypt", MerchantNo: "0000000001", Secret: "secret-eg", BasePath: "/egy-pay"},
		{Country: "brazil", MerchantNo: "0000000002", Secret: "secret-br", BasePath: "/brz-pay"},
	}, Behavior: paysim.Behavior{SettleMin: 10 * time.Millisecond, SettleMax: time.Second, LostReply: 0.02}})
	web := embedded.NewWeb(sim)
	defer web.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	transport := &kafka.Transport{Dial: k.Dial, MetadataTTL: time.Second}
	lines := trial.Payroll("t", 7, 60)
	if err := trial.Publish(ctx, k.ListenAddrs(), transport, topics.Commands, lines); err != nil {
		t.Fatal(err)
	}
	w := trial.NewWatcher(&kafka.Client{Addr: kafka.TCP(k.ListenAddrs()...), Transport: transport}, topics)
	go w.Run(ctx)

	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	c := testConfig()
	c.Kafka.Brokers = k.ListenAddrs()
	a, err := New(c, Options{Instance: "one", DialKafka: k.Dial, DialRedis: r.Dial, DialHTTP: web.Dial, Listener: listener, LogTo: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- a.Run(run) }()
	expected := trial.Expect(lines)
	for {
		finals, letters := w.Progress()
		if finals >= len(expected.TradeNos) && letters >= expected.Letters {
			break
		}
		if ctx.Err() != nil {
			t.Log("timeout")
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	report := w.Judge(expected, sim.Ledger(), map[string]string{"eg-main": "0000000001", "br-main": "0000000002"})
	t.Logf("%+v", report)
	if !report.Good() {
		t.Fatal(report.Problems)
	}
}
