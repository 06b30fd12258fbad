package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"disburser/payout/acts"
	"disburser/payout/inquiry"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

// asked is what the admin HTTP answers about a payout.
func asked(a *App, path, authorization string) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	a.admin().ServeHTTP(w, request)
	return w
}

// Payouts are shown with the token only, to whoever is asked from wherever, and never a payee in clear.
func TestAPayoutIsShownWithTheTokenOnly(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		w.config.Admin.Token = secrets.New("open")
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.say(acts.Pause, "fleet")
		time.Sleep(2 * time.Second)
		w.publish("p", 2)
		time.Sleep(5 * time.Second)
		for name, given := range map[string]string{"none": "", "an empty one": "Bearer ", "another one": "Bearer shut", "a longer one": "Bearer open2", "another scheme": "Basic open", "no scheme": "open"} {
			if r := asked(a, "/payouts/p-0000", given); r.Code != http.StatusUnauthorized || strings.Contains(r.Body.String(), "received") || r.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %d %s", name, r.Code, r.Body)
			}
		}
		r := asked(a, "/payouts/p-0000", "Bearer open")
		var answer inquiry.Answer
		if err := json.Unmarshal(r.Body.Bytes(), &answer); err != nil || r.Code != http.StatusOK || r.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", r.Code, err, r.Body)
		}
		if answer.State != "received" || answer.Amount != "300" || answer.Merchant != "eg-main" || !strings.Contains(answer.Why, "paused by alice (fleet") || len(answer.Stops) != 1 || answer.Next.Step != "send" ||
			len(answer.History) != 1 || answer.History[0].Topic != w.config.Kafka.Topics.Commands {
			t.Errorf("%s", r.Body)
		}
		for _, secret := range []string{"kevin", "01123456789", "secret-eg"} {
			if strings.Contains(strings.ToLower(r.Body.String()), secret) {
				t.Errorf("%s is in clear: %s", secret, r.Body)
			}
		}
		for path, want := range map[string]int{
			"/payouts/nobody": http.StatusNotFound, "/payouts/" + strings.Repeat("x", 65): http.StatusNotFound, "/payouts/p-0000%0a": http.StatusNotFound,
			"/payouts/p-0000%2f..%2fepoch": http.StatusNotFound, "/payouts/*": http.StatusNotFound, "/payouts/%00": http.StatusNotFound, "/payouts/p:%7b0%7d": http.StatusNotFound,
		} {
			if r := asked(a, path, "Bearer open"); r.Code != want || strings.Contains(r.Body.String(), "received") {
				t.Errorf("%s: %d %s", path, r.Code, r.Body)
			}
		}
		w.say(acts.Resume, "fleet")
		w.settled(2, time.Minute)
		time.Sleep(time.Second)
		if r := asked(a, "/payouts/p-0000", "Bearer open"); r.Code != http.StatusOK || !strings.Contains(r.Body.String(), `"state":"paid"`) || !strings.Contains(r.Body.String(), "its result is announced") {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		w.redis.SetError("LOADING")
		if r := asked(a, "/payouts/p-0000", "Bearer open"); r.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		w.redis.SetError("")
		a.config.Admin.Token = secrets.Secret{}
		for _, given := range []string{"", "Bearer ", "Bearer open"} {
			if r := asked(a, "/payouts/p-0000", given); r.Code != http.StatusForbidden || !strings.Contains(r.Body.String(), "admin.token is not set") {
				t.Errorf("%d %s", r.Code, r.Body)
			}
		}
	})
}

// A journal that is lost is no proof that nobody knows a payout: 503, not 404.
func TestALostJournalIsNotAnUnknownPayout(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Hour, SettleMax: 2 * time.Hour}, func(w *town) {
		w.config.Admin.Token = secrets.New("open")
		a, stop := w.run("one", nil)
		time.Sleep(5 * time.Second)
		w.publish("p", 1)
		time.Sleep(5 * time.Second)
		stop()
		w.redis.FlushAll()
		if r := asked(a, "/payouts/p-0000", "Bearer open"); r.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		answer, unread, err := Show(context.Background(), w.config, Options{DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial}, "p-0000")
		if err != nil || unread != nil || !answer.Undecided() || answer.Missing() || !strings.Contains(answer.Why, "no epoch is open") {
			t.Errorf("%+v, %v, %v", answer, unread, err)
		}
		_, stop = w.run("two", nil)
		defer stop()
		time.Sleep(20 * time.Second)
		answer, unread, err = Show(context.Background(), w.config, Options{DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial}, "p-0000")
		if err != nil || unread != nil || answer.State != "sending" && answer.State != "processing" || answer.Doubt != "" {
			t.Errorf("%+v, %v, %v", answer, unread, err)
		}
		w.say(acts.Pause, "payout:p-0000")
		if _, unread, err = Show(context.Background(), w.config, Options{DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial}, "not a tradeNo"); err == nil || unread != nil {
			t.Error("asked about what can be no payout")
		}
		w.config.Kafka.Topics.Actions = "nowhere"
		if _, unread, err = Show(context.Background(), w.config, Options{DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial}, "p-0000"); err != nil || unread == nil {
			t.Errorf("nobody says that the actions weren't read: %v", err)
		}
	})
}
