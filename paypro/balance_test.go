package paypro

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestBalance(t *testing.T) {
	for _, test := range []struct {
		country, body string
		want          Balance
		fails         string
	}{
		{"brazil", `{"code":"0000","data":{"availableAmount":9998989.0000,"freezeAmount":0,"unsettledAmount":"1.50"}}`, Balance{"9998989.0000", "0", "1.50"}, ""},
		{"mexico", `{"code":"0000","data":{"availablAmount":12345678901234567890.12}}`, Balance{"12345678901234567890.12", "", ""}, ""},
		{"mexico", `{"code":"0000","data":{"availableAmount":"-3"}}`, Balance{"-3", "", ""}, ""},
		{"egypt", `{"code":"0000","data":{"availableAmount":"300","availablAmount":"0300.00"}}`, Balance{"300", "", ""}, ""},
		{"egypt", `{"code":"0000","data":{"availableAmount":"0","availablAmount":"-0.0"}}`, Balance{"0", "", ""}, ""},
		{"egypt", `{"code":"0000","data":{"availableAmount":"300","availablAmount":"-300"}}`, Balance{}, "different amounts"},
		{"egypt", `{"code":"0000","data":{"availableAmount":"300","availablAmount":"30"}}`, Balance{}, "different amounts"},
		{"egypt", `{"code":"0000","data":{"freezeAmount":"1"}}`, Balance{}, "no readable availableAmount or availablAmount"},
		{"egypt", `{"code":"0000","data":{"availableAmount":1e3}}`, Balance{}, "no readable"},
		{"egypt", `{"code":"0000"}`, Balance{}, "no readable"},
		{"egypt", `{"code":"8000","msg":"sign error ` + testSecret + `"}`, Balance{}, "refused with code 8000 (sign error ***)"},
		{"egypt", `{`, Balance{}, "unreadable answer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork()
			n.serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if bare := test.country == "mexico"; bare != (len(body) == 0) || bare && r.Header.Get("sign") != "" {
					t.Errorf("%s sent %s", test.country, body)
				}
				_, _ = io.WriteString(w, test.body)
			})
			got, err := client(t, merchant(test.country), n.dial).Balance(t.Context())
			if got != test.want || (err == nil) != (test.fails == "") || err != nil && (!strings.Contains(err.Error(), test.fails) || leaks(err.Error())) {
				t.Errorf("%s %s: got %+v, %v", test.country, test.body, got, err)
			}
		})
	}
}

func TestBalanceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		_ = n.Close()
		_, err := client(t, egypt(), n.dial).Balance(t.Context())
		want := "paypro: balance of eg-main from http://paypro.test/egy-pay/v1/paypro/queryBalance: no connection: connection refused"
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		if _, err := client(t, egypt(), n.dial).Balance(t.Context()); err == nil || !strings.HasSuffix(err.Error(), ": HTTP 502") {
			t.Errorf("got %v", err)
		}
	})
}
