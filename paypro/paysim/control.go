package paysim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Handler serves the simulator's control paths beside Paypro's API:
//
//	GET  /ledger                                      the ledger as JSON
//	GET  /behavior?merchantNo=N                       the present behavior
//	POST /behavior?merchantNo=N   {"lostReply": 0.5}  changes the settings that are named; no merchantNo = all
//	POST /outage?merchantNo=N&is=cut                  up, unavailable, cut, hung, disabled, broke
//	GET  /healthz
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Ledger()) })
	mux.HandleFunc("GET /behavior", s.knownMerchant(s.showBehavior))
	mux.HandleFunc("POST /behavior", s.knownMerchant(s.changeBehavior))
	mux.HandleFunc("POST /outage", s.knownMerchant(s.changeOutage))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", s)
	return mux
}

// knownMerchant answers 404 if a merchantNo is unknown.
func (s *Sim) knownMerchant(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		merchantNo := r.URL.Query().Get("merchantNo")
		if merchantNo != "" && s.merchants[merchantNo] == nil {
			http.Error(w, fmt.Sprintf("there is no merchant %q", merchantNo), http.StatusNotFound)
			return
		}
		next(w, r, merchantNo)
	}
}

func (s *Sim) showBehavior(w http.ResponseWriter, _ *http.Request, merchantNo string) {
	out := make(map[string]Behavior)
	for _, a := range s.accountsOf(merchantNo) {
		out[a.MerchantNo] = a.currentBehavior()
	}
	writeJSON(w, out)
}

func (a *account) currentBehavior() Behavior {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.behavior
}

// changeBehavior changes all merchants or none: it checks all changes first.
func (s *Sim) changeBehavior(w http.ResponseWriter, r *http.Request, merchantNo string) {
	var change json.RawMessage
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&change)
	changed := make(map[string]Behavior)
	for _, a := range s.accountsOf(merchantNo) {
		b := a.currentBehavior()
		if err == nil {
			err = b.UnmarshalJSON(change)
		}
		if err == nil {
			err = b.Validate()
		}
		changed[a.MerchantNo] = b
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for no, b := range changed {
		s.SetBehavior(no, b)
	}
	writeJSON(w, changed)
}

func (s *Sim) changeOutage(w http.ResponseWriter, r *http.Request, merchantNo string) {
	var o Outage
	if err := o.UnmarshalText([]byte(r.URL.Query().Get("is"))); err != nil {
		http.Error(w, "is: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.SetOutage(merchantNo, o)
	fmt.Fprintln(w, o)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // nobody is left to be told
}
