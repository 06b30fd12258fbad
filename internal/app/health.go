package app

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// stuck is how long a loop may make no progress before the process counts as sick: far
// beyond every timeout in it.
const stuck = time.Minute

// health collects why the program isn't ready.
type health struct {
	mu      sync.Mutex
	start   string // what the start waits for
	stop    bool
	dead    string // what ended by a panic and isn't begun again
	reasons func() []string
}

func (h *health) starting(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.start = reason
}

func (h *health) stopping() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stop = true
}

func (h *health) died(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = what
}

// sick says why the process should be restarted, "" if it needn't.
func (h *health) sick() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead == "" {
		return ""
	}
	return "the " + h.dead + " ended by a panic"
}

// unready lists the reasons; none means ready.
func (h *health) unready() []string {
	h.mu.Lock()
	start, stop := h.start, h.stop
	h.mu.Unlock()
	switch {
	case stop:
		return []string{"stopping"}
	case start != "":
		return []string{start}
	}
	return h.reasons()
}

// admin is the admin HTTP (README, Admin HTTP and metrics). Health and metrics are open;
// profiles and payouts need the token; where none is set nobody sees them.
func (a *App) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if why := a.health.sick(); why != "" {
			reply(w, http.StatusServiceUnavailable, map[string]any{"alive": false, "reason": why})
			return
		}
		for _, l := range a.loops {
			if quiet := time.Since(l.Beat()); quiet > stuck && a.started.Load() {
				reply(w, http.StatusServiceUnavailable, map[string]any{"alive": false, "reason": "the loop has made no progress for " + quiet.Round(time.Second).String()})
				return
			}
		}
		reply(w, http.StatusOK, map[string]any{"alive": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		body, status := map[string]any{"ready": true}, http.StatusOK
		if reasons := a.health.unready(); len(reasons) > 0 {
			body, status = map[string]any{"ready": false, "reasons": reasons, "reason": strings.Join(reasons, "; ")}, http.StatusServiceUnavailable
		}
		body["actions"] = a.inForce()
		if warnings := a.warnings(); len(warnings) > 0 {
			body["warnings"] = warnings
		}
		reply(w, status, body)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.options.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /payouts/{tradeNo}", a.forToken(a.showPayout))
	mux.HandleFunc("GET /debug/pprof/", a.guarded(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", a.guarded(pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", a.guarded(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", a.guarded(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", a.guarded(pprof.Trace))
	return mux
}

func (a *App) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.allowed(r) {
			reply(w, http.StatusUnauthorized, map[string]any{"error": "profiles need Authorization: Bearer <admin.token>, and a token in the configuration"})
			return
		}
		h(w, r)
	}
}

// forToken lets through who has the token. Without one in the configuration nobody may, and that is said.
func (a *App) forToken(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case a.config.Admin.Token.IsEmpty():
			reply(w, http.StatusForbidden, map[string]any{"error": "admin.token is not set in the configuration: nobody may read payouts here; set it and restart"})
		case !a.allowed(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			reply(w, http.StatusUnauthorized, map[string]any{"error": "payouts need Authorization: Bearer <admin.token>"})
		default:
			h(w, r)
		}
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone: nothing to be done
}

// warnings list what somebody should mend though the instance works.
func (a *App) warnings() (all []string) {
	for _, l := range a.loops {
		if why := l.Warning(); why != "" {
			all = append(all, why)
		}
	}
	return all
}
