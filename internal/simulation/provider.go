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
	answer    string    // as an outcome's evidence names it; noAnswer if there was none
	answered  time.Time // when the answer left; zero: not yet
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
		heard := listener{ResponseWriter: w}
		number := p.note(instance, body)
		defer func() { p.answered(number, heard.text) }() // also if the connection is cut
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.ServeHTTP(&heard, r)
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.webs = append(p.webs, w)
	return w
}

// listener hears an answer.
type listener struct {
	http.ResponseWriter
	text []byte
}

// Write takes a part of it.
func (l *listener) Write(b []byte) (int, error) {
	l.text = append(l.text, b...)
	return l.ResponseWriter.Write(b)
}

// note: only placements name an amount.
func (p *provider) note(instance string, body []byte) (number int) {
	var b struct {
		TradeNo string          `json:"tradeNo"`
		Amount  json.RawMessage `json:"amount"`
	}
	_ = json.Unmarshal(body, &b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call{at: time.Now(), instance: instance, placement: len(b.Amount) > 0, tradeNo: b.TradeNo})
	return len(p.calls) - 1
}

func (p *provider) answered(number int, text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.calls[number]
	c.answered, c.answer = time.Now(), meaning(text)
}

// What an ask is answered, in the words of an outcome's evidence.
const (
	noAnswer      = "unclear"
	noRecord      = "no_record"
	saysPaid      = "paid"
	saysFailed    = "failed"
	saysPartial   = "partial"
	saysPending   = "processing"
	saysSomething = "unknown_status"
)

// meaning reads an answer, without the program's code.
func meaning(text []byte) string {
	var a struct {
		Code string `json:"code"`
		Data *struct {
			Status string `json:"status"`
		} `json:"data"`
	}
	switch err := json.Unmarshal(text, &a); {
	case err != nil:
		return noAnswer
	case a.Code == "8000":
		return noRecord
	case a.Code != "0000" || a.Data == nil:
		return noAnswer
	}
	switch a.Data.Status {
	case "0000":
		return saysPaid
	case "0001":
		return saysPartial
	case "0015":
		return saysPending
	case "00029", "0029", "0100019":
		return saysFailed
	}
	return saysSomething
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
