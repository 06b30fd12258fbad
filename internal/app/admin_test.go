package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"disburser/internal/embedded"
	"disburser/payout"
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
			a.config.Admin.Token = payout.NewSecret(c.token)
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
