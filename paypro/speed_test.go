package paypro

import (
	"net/http"
	"testing"
	"time"

	"disburser/payout/finding"
)

// What a call costs besides the network: a request is written, an answer is read.
func BenchmarkCall(b *testing.B) {
	c := client(b, egypt(), nil)
	cmd := egyptCommand(b)
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.encode(c.payoutRequest(cmd, time.Now())); err != nil {
				b.Fatal(err)
			}
		}
	})
	answers := map[string]struct {
		body string
		v    verdict
		want finding.Kind
	}{
		"answer-to-send": {`{"code":"0000","msg":"success","success":true,"data":{"tradeNo":"test_00000001","platFormTradeNo":"5286e98841194687a95d25b5f3be346d","status":"0015","message":"PROCESSING"}}`, sendVerdict, finding.Accepted},
		"answer-to-ask":  {`{"code":"0000","msg":"success","success":true,"data":{"tradeNo":"test_00000001","platFormTradeNo":"5286e98841194687a95d25b5f3be346d","status":"0000","message":"SUCCESS","amount":"300","successTime":"2024-07-01 18:34:31"}}`, c.queryVerdict, finding.Paid},
	}
	for name, a := range answers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if f := c.judge(a.v, cmd, reply{status: http.StatusOK, body: []byte(a.body)}); f.Kind != a.want {
					b.Fatal(f)
				}
			}
		})
	}
}
