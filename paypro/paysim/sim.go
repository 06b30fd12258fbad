// Package paysim promises a simulated Paypro whose ledger is always right, while its answers
// misbehave as configured.
//
// It checks every call by the provider's pages. Its ledger records each execution: how much
// money left, and how often. Its answers can be slow, lost, late, refused, broken or missing.
// It is written from the pages and imports nothing of our client: so both can't share one
// mistake.
//
// Every fault and outcome is drawn from a hash of seed, merchantNo, tradeNo, attempt and kind.
// So the order of calls doesn't matter, and a run can be repeated. Outcomes are fixed at
// acceptance and become visible later. Time is that of package time, and no goroutine outlives
// its request: so it runs inside testing/synctest.
//
// "Page" in a comment is a page of docs.paypro.tech; [U] marks what no page says
// (docs/paypro-api.md).
package paysim

import (
	"fmt"
	"net/http"
	"time"
)

// Sim is a running simulator: an http.Handler for Paypro's API. Handler adds control paths. It
// is safe for concurrent use.
type Sim struct {
	merchants map[string]*account // by merchantNo; never changes after New
	paths     map[string]bool     // every path that some merchant has
}

// New makes a simulator. It panics if Config.Validate returns an error: a test with a wrong
// configuration must stop at once.
func New(cfg Config) *Sim {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	s := &Sim{merchants: make(map[string]*account), paths: make(map[string]bool)}
	for _, m := range cfg.Merchants {
		a := newAccount(cfg, m)
		s.merchants[m.MerchantNo] = a
		for path := range a.routes {
			s.paths[path] = true
		}
	}
	return s
}

// SetBehavior changes how a merchant ("" = all) is treated from now on. Accepted orders keep
// their outcome and times. It panics on an invalid Behavior or an unknown merchant.
func (s *Sim) SetBehavior(merchantNo string, b Behavior) {
	if err := b.Validate(); err != nil {
		panic(err)
	}
	for _, a := range s.accountsOf(merchantNo) {
		a.mu.Lock()
		a.behavior = b
		a.mu.Unlock()
	}
}

// SetOutage begins an outage of a merchant ("" = all), or ends it with Up.
func (s *Sim) SetOutage(merchantNo string, o Outage) {
	for _, a := range s.accountsOf(merchantNo) {
		a.mu.Lock()
		a.outage = o
		a.mu.Unlock()
	}
}

// SetDown cuts every connection of a merchant ("" = all) without an answer, until called with
// false. Nothing is executed.
func (s *Sim) SetDown(merchantNo string, down bool) { s.SetOutage(merchantNo, outageIf(down, Cut)) }

// SetHang leaves every call of a merchant ("" = all) without an answer, until called with
// false. Half of the placements are executed nevertheless.
func (s *Sim) SetHang(merchantNo string, hang bool) { s.SetOutage(merchantNo, outageIf(hang, Hung)) }

// outageIf returns the outage if on, else Up.
func outageIf(on bool, o Outage) Outage {
	if on {
		return o
	}
	return Up
}

// Arrivals returns when placement calls of a merchant ("" = all) arrived, refused and broken
// ones included. Tests measure the call rate by it.
func (s *Sim) Arrivals(merchantNo string) []time.Time { return s.arrivals(merchantNo, opPayout) }

// QueryArrivals returns when query calls of a merchant ("" = all) arrived.
func (s *Sim) QueryArrivals(merchantNo string) []time.Time { return s.arrivals(merchantNo, opQuery) }

func (s *Sim) arrivals(merchantNo string, o op) []time.Time {
	var times []time.Time
	for _, a := range s.accountsOf(merchantNo) {
		a.mu.Lock()
		times = append(times, a.arrivals[o]...)
		a.mu.Unlock()
	}
	return times
}

// accountsOf returns the account of a merchantNo; "" means all. It panics on an unknown one.
func (s *Sim) accountsOf(merchantNo string) []*account {
	if a := s.merchants[merchantNo]; a != nil {
		return []*account{a}
	}
	if merchantNo != "" {
		panic(fmt.Sprintf("paysim: there is no merchant %q", merchantNo))
	}
	all := make([]*account, 0, len(s.merchants))
	for _, a := range s.merchants {
		all = append(all, a)
	}
	return all
}

var _ http.Handler = (*Sim)(nil)
