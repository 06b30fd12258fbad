package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"disburser/internal/harness"
)

const secret = "bench-secret"

// stopLimit is how long a program may take to stop: more than the configured drain.
const stopLimit = 10 * time.Second

// account is a merchant at the provider.
type account struct{ Path, No string }

// accounts are those of a site, by the merchant's name.
type accounts map[string]account

// two are the accounts of the parts that need no more than two.
var two = accounts{"eg-main": {"/a", "0000000001"}, "eg-other": {"/b", "0000000002"}}

// many are n accounts.
func many(n int) accounts {
	all := accounts{}
	for i := range n {
		all[manyName(i)] = account{"/" + manyName(i), fmt.Sprintf("100000%04d", i)}
	}
	return all
}

// manyName is the name of the i-th of many merchants.
func manyName(i int) string { return fmt.Sprintf("m%04d", i) }

// provider is a paysim process.
type provider struct{ *harness.Provider }

func newProvider(ctx context.Context, program, dir, behavior string, all accounts) (*provider, error) {
	if behavior == "" {
		behavior = "{}"
	}
	var list []map[string]string
	for _, a := range all {
		list = append(list, map[string]string{"country": "egypt", "merchantNo": a.No, "secret": secret, "basePath": a.Path})
	}
	config, err := json.Marshal(map[string]any{"seed": 1, "repeat": "pay-again", "behavior": json.RawMessage(behavior), "merchants": list})
	if err != nil {
		return nil, fmt.Errorf("the provider's behavior %s: %w", behavior, err)
	}
	v, err := harness.StartProvider(ctx, program, dir, config)
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
		if e.MerchantNo == two[merchant].No {
			for _, x := range e.Executions {
				times = append(times, x.At)
			}
		}
	}
	return times
}

// outage puts a merchant into an outage of the simulator, or ends it with "up".
func (v *provider) outage(ctx context.Context, merchant, is string) error {
	url := fmt.Sprintf("http://%s/outage?merchantNo=%s&is=%s", v.Address, two[merchant].No, is)
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
