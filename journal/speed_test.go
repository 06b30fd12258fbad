package journal

import (
	"testing"
	"time"

	"disburser/message"
	"disburser/payout"
)

func BenchmarkRecord(b *testing.B) {
	orders, err := message.Decode([]byte(`{"tradeNo":"20261121103000000001","merchant":"eg-main","amount":"300","currency":"EGP","payee":{"customerName":"kevin small","walletId":"01123456789"},"remark":"salary 2026-11","batchId":"2026-11-payroll"}`))
	if err != nil {
		b.Fatal(err)
	}
	p := payout.Begin(orders[0].Command, "egypt", payout.Source{Partition: 3, Offset: 4711, Time: time.Now()}, "", time.Now())
	p.Status, p.StatusText, p.PlatformTradeNo, p.PaidAmount, p.SuccessTime = "0000", "SUCCESS", "2tjba3vz6wm6hx3l", "300", "2026-11-21 18:34:31"
	p.FirstSentAt, p.SettledAt, p.Asks = time.Now(), time.Now(), 1
	record := encode(p)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encode(p)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := decode(p.TradeNo, record); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("command", func(b *testing.B) {
		value := []byte(`{"tradeNo":"20261121103000000001","merchant":"eg-main","amount":"300","currency":"EGP","payee":{"customerName":"kevin small","walletId":"01123456789"},"remark":"salary 2026-11","batchId":"2026-11-payroll"}`)
		for b.Loop() {
			orders, _ := message.Decode(value)
			payout.Begin(orders[0].Command, "egypt", payout.Source{}, "", time.Now())
		}
	})
}
