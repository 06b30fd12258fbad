package paysim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTooFast(t *testing.T) {
	for _, c := range []struct {
		behavior         Behavior
		status           int
		code, retryAfter string
	}{
		{Behavior{TooFastAbove: 3}, 429, "", ""},
		{Behavior{TooFastAbove: 3, RetryAfter: 1500 * time.Millisecond}, 429, "", "2"},
		{Behavior{TooFastAbove: 3, TooFastCode: "9429", RetryAfter: time.Second}, 200, "9429", "1"},
	} {
		t.Run(fmt.Sprintf("%+v", c.behavior), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(egypt(c.behavior))
				for second := range 3 {
					for i := range 5 {
						tradeNo := fmt.Sprint("t", second, "-", i)
						if r := s.pay(tradeNo); i < 3 {
							r.want(t, "0000", "0015")
						} else if r.status != c.status || r.Code != c.code {
							t.Errorf("call %d: %+v", i, r)
						}
					}
					if r := s.query("t0-0"); second == 0 && r.Code != "0000" {
						t.Errorf("queries have a count of their own: %+v", r)
					}
					w := httptest.NewRecorder()
					request := httptest.NewRequest(http.MethodPost, capitalPayout, strings.NewReader(""))
					request.Header.Set("merchantNo", testNo)
					if s.ServeHTTP(w, request); w.Header().Get("Retry-After") != c.retryAfter {
						t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
					}
					time.Sleep(time.Second)
				}
				if r := s.query("t0-4"); r.Code != "8000" {
					t.Errorf("a call that was too fast was executed: %+v", r)
				}
			})
		})
	}
}
