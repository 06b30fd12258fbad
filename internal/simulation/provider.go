package simulation

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"disburser/internal/embedded"
	"disburser/paypro/paysim"
)

// accounts are the simulator's, by our names.
var accounts = map[string]string{"eg-main": "0000000001", "br-main": "0000000002"}

const (
	egyptSecret  = "simulation-egypt"
	brazilSecret = "simulation-brazil"
)

// call is one request as it reached the provider.
type call struct {
	at        time.Time
	instance  string
	placement bool
	tradeNo   string
}

// provider is Paypro: the simulator behind a door at which every call is noted.
type provider struct {
	*paysim.Sim

	mu    sync.Mutex
	calls []call
	webs  []*embedded.Web
}

// newProvider pays again whatever is sent again: the nastiest there is.
func newProvider(seed uint64, b paysim.Behavior) *provider {
	return &provider{Sim: paysim.New(paysim.Config{Seed: seed, Behavior: b, Repeat: paysim.PayAgain, Merchants: []paysim.Merchant{
		{Country: "egypt", MerchantNo: accounts["eg-main"], Secret: egyptSecret, BasePath: "/egy-pay"},
		{Country: "brazil", MerchantNo: accounts["br-main"], Secret: brazilSecret, BasePath: "/brz-pay"},
	}})}
}

// door answers an instance's calls.
func (p *provider) door(instance string) *embedded.Web {
	w := embedded.NewWeb(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a client that left in the middle: the simulator sees it too
		p.note(instance, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.ServeHTTP(w, r)
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.webs = append(p.webs, w)
	return w
}

// note: only placements name an amount.
func (p *provider) note(instance string, body []byte) {
	var b struct {
		TradeNo string          `json:"tradeNo"`
		Amount  json.RawMessage `json:"amount"`
	}
	_ = json.Unmarshal(body, &b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call{time.Now(), instance, len(b.Amount) > 0, b.TradeNo})
}

func (p *provider) close() {
	for _, w := range p.webs {
		w.Close()
	}
}

// entry is what the ledger says of a payout.
func entry(l paysim.Ledger, merchant, tradeNo string) paysim.Entry {
	return l.Entry(accounts[merchant], tradeNo)
}
