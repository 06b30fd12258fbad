package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"disburser/internal/harness"
)

const secret = "bench-secret"

// stopLimit is how long a program may take to stop: more than the configured drain.
const stopLimit = 10 * time.Second

// merchantNos are the provider's accounts.
var merchantNos = map[string]string{"eg-main": "0000000001", "eg-other": "0000000002"}

// provider is a paysim process.
type provider struct{ *harness.Provider }

func newProvider(ctx context.Context, program, dir, behavior string) (*provider, error) {
	if behavior == "" {
		behavior = "{}"
	}
	config := fmt.Sprintf(`{"seed": 1, "repeat": "pay-again", "behavior": %s, "merchants": [
		{"country": "egypt", "merchantNo": %q, "secret": %q, "basePath": "/a"}, {"country": "egypt", "merchantNo": %q, "secret": %q, "basePath": "/b"}]}`,
		behavior, merchantNos["eg-main"], secret, merchantNos["eg-other"], secret)
	v, err := harness.StartProvider(ctx, program, dir, []byte(config))
	if v == nil {
		return nil, err
	}
	return &provider{v}, err
}

// ledger is what we need of the provider's books.
type ledger struct {
	Entries []struct {
		MerchantNo string `json:"merchantNo"`
		TradeNo    string `json:"tradeNo"`
		Placements int    `json:"placements"`
		Executions []struct {
			At time.Time `json:"at"`
		} `json:"executions"`
	} `json:"entries"`
	Requests map[string]int `json:"requests"`
}

func (v *provider) ledger(ctx context.Context) (l ledger, err error) {
	err = v.Ledger(ctx, &l)
	return l, err
}

// sent are the times at which a merchant's payouts were placed, in no order.
func (l ledger) sent(merchant string) (times []time.Time) {
	for _, e := range l.Entries {
		if e.MerchantNo == merchantNos[merchant] {
			for _, x := range e.Executions {
				times = append(times, x.At)
			}
		}
	}
	return times
}

// outage puts a merchant into an outage of the simulator, or ends it with "up".
func (v *provider) outage(ctx context.Context, merchant, is string) error {
	url := fmt.Sprintf("http://%s/outage?merchantNo=%s&is=%s", v.Address, merchantNos[merchant], is)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
