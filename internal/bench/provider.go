package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const secret = "bench-secret"

// merchantNos are the provider's accounts.
var merchantNos = map[string]string{"eg-main": "0000000001", "eg-other": "0000000002"}

var listening = regexp.MustCompile(`listening on http://(\S+)`)

// provider is a paysim process.
type provider struct {
	process *process
	address string
}

func newProvider(ctx context.Context, program, dir, behavior string) (*provider, error) {
	if behavior == "" {
		behavior = "{}"
	}
	config := fmt.Sprintf(`{"seed": 1, "repeat": "pay-again", "behavior": %s, "merchants": [
		{"country": "egypt", "merchantNo": %q, "secret": %q, "basePath": "/a"}, {"country": "egypt", "merchantNo": %q, "secret": %q, "basePath": "/b"}]}`,
		behavior, merchantNos["eg-main"], secret, merchantNos["eg-other"], secret)
	file, log := filepath.Join(dir, "paysim.json"), filepath.Join(dir, "paysim.log")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := start("paysim", log, program, "--listen", "127.0.0.1:0", "--config", file)
	if err != nil {
		return nil, err
	}
	v := &provider{process: p}
	err = until(ctx, 20*time.Second, "paysim listens", func() bool {
		text, _ := os.ReadFile(log)
		if m := listening.FindSubmatch(text); m != nil {
			v.address = string(m[1])
		}
		return v.address != "" || !p.running()
	})
	if err == nil && v.address == "" {
		err = fmt.Errorf("paysim ended:\n%s", p.tail())
	}
	return v, err
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/ledger", nil)
	if err != nil {
		return l, err
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return l, err
	}
	defer res.Body.Close()
	return l, json.NewDecoder(res.Body).Decode(&l)
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
	url := fmt.Sprintf("http://%s/outage?merchantNo=%s&is=%s", v.address, merchantNos[merchant], is)
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
