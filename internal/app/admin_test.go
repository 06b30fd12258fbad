package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/internal/embedded"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

// Profiles show what the process has in its memory. A peer at 127.0.0.1 may be a proxy.
func TestProfilesNeedTheTokenAlways(t *testing.T) {
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for _, c := range []struct {
		name, token, given string
		want               int
	}{
		{"no token is set", "", "", http.StatusUnauthorized},
		{"no token is set, an empty one is given", "", "Bearer ", http.StatusUnauthorized},
		{"none is given", "open", "", http.StatusUnauthorized},
		{"another one is given", "open", "Bearer shut", http.StatusUnauthorized},
		{"the right one", "open", "Bearer open", http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := on(t, r.Dial, nil)
			a.config.Admin.Token = secrets.New(c.token)
			for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/goroutine"} {
				for _, from := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "192.0.2.1:1"} {
					request := httptest.NewRequest(http.MethodGet, path, nil)
					request.RemoteAddr = from
					if c.given != "" {
						request.Header.Set("Authorization", c.given)
					}
					w := httptest.NewRecorder()
					a.admin().ServeHTTP(w, request)
					if w.Code != c.want {
						t.Errorf("%s from %s: %d, want %d", path, from, w.Code, c.want)
					}
				}
			}
		})
	}
}

// Alerts look at gauges, people at /readyz: both say the same.
func TestTheMetricsSayWhatReadyzSays(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		registry := prometheus.NewRegistry()
		a, stop := w.run("one", registry)
		agree := func(want int) {
			t.Helper()
			answer := httptest.NewRecorder()
			a.admin().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			page := httptest.NewRecorder()
			a.admin().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			line := fmt.Sprintf("\ndisburser_ready %d\n", want)
			if (answer.Code == http.StatusOK) != (want == 1) || !strings.Contains(page.Body.String(), line) {
				t.Errorf("/readyz answers %d, /metrics doesn't have %q", answer.Code, line)
			}
			if !strings.Contains(page.Body.String(), "\ndisburser_build_info{") {
				t.Error("nobody knows what runs")
			}
		}
		agree(0) // it has only just begun
		time.Sleep(10 * time.Second)
		agree(1)
		w.redis.SetError("LOADING")
		time.Sleep(20 * time.Second)
		agree(0)
		w.redis.SetError("")
		time.Sleep(20 * time.Second)
		agree(1)
		stop()
		agree(0)
	})
}
