// Package paysim promises a Paypro that keeps honest books while it behaves badly.
// It checks every call as the provider's pages ask for it, keeps its own ledger of
// what money left and how often, and misbehaves as told: slow, lost, late, refused,
// broken or hanging answers. It is written from the documents and knows nothing of
// our client, so that both can't share one misreading.
//
// Every fault and outcome is drawn by hashing (seed, merchantNo, tradeNo, attempt,
// kind): neither the order of arrival nor concurrency changes them, and a run can
// be repeated. Time is plain package time; an outcome is fixed at acceptance and
// merely becomes visible later. No goroutine outlives its request, so all of it
// runs inside testing/synctest.
//
// "Page" in a comment is a page of docs.paypro.tech; [U] marks what no page says.
package paysim

import (
	"fmt"
	"net/http"
	"time"
)

// Sim is a running simulator: an http.Handler that speaks Paypro's API only (see
// Handler for the control paths). Safe for concurrent use.
type Sim struct {
	merchants map[string]*account // by merchantNo; the map never changes after New
	paths     map[string]bool     // every path that some merchant answers at
}

// New makes a simulator. It panics on a Config that Validate refuses: a test with a
// wrong set-up has to stop at once.
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

// SetBehavior changes how a merchant ("" = all) is treated from now on. Orders
// already accepted keep the outcome and the times they were given.
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

// SetOutage puts a merchant ("" = all) into an outage, or ends it with Up.
func (s *Sim) SetOutage(merchantNo string, o Outage) {
	for _, a := range s.accountsOf(merchantNo) {
		a.mu.Lock()
		a.outage = o
		a.mu.Unlock()
	}
}

// SetDown cuts every connection of a merchant ("" = all) without an answer and
// without executing anything, until called with false.
func (s *Sim) SetDown(merchantNo string, down bool) { s.SetOutage(merchantNo, outageIf(down, Cut)) }

// SetHang lets every call of a merchant ("" = all) hang, until called with false.
// Half of the placements are executed nevertheless: a hang says nothing.
func (s *Sim) SetHang(merchantNo string, hang bool) { s.SetOutage(merchantNo, outageIf(hang, Hung)) }

func outageIf(on bool, o Outage) Outage {
	if on {
		return o
	}
	return Up
}

// Arrivals are the times at which placement calls of a merchant were received,
// refused and broken ones included: what a rate limit is measured by.
func (s *Sim) Arrivals(merchantNo string) []time.Time { return s.arrivals(merchantNo, opPayout) }

// QueryArrivals are the times at which query calls of a merchant were received.
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

// chosen are the accounts that a merchantNo names; "" names all of them.
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
