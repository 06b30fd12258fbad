package ratelimit

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
)

// A look sees what all instances share, and writes nothing.
func TestALook(t *testing.T) {
	server, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Dialer: server.Dial})
	defer client.Close()
	o := Options{Namespace: "n", Name: "eg:send", Rate: Rate{PerSecond: 50, Burst: 5}, MaxPause: time.Minute}
	look := func() Sight {
		t.Helper()
		s, err := Look(t.Context(), client, o, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := look(); s != (Sight{PerSecond: 50}) || len(server.Keys()) > 0 {
		t.Errorf("%+v, %v", s, server.Keys())
	}
	l := New(client, o)
	if err := l.Told(t.Context(), time.Now(), true, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if s := look(); s.PerSecond != 25 || time.Until(s.RestUntil) < 25*time.Second || !s.NextProbe.IsZero() {
		t.Errorf("%+v", s)
	}
	if err := l.Refused(t.Context(), time.Now(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if s := look(); time.Until(s.NextProbe) < 5*time.Second {
		t.Errorf("%+v", s)
	}
	if s, err := Look(t.Context(), client, o, time.Now().Add(time.Hour)); err != nil || !s.RestUntil.IsZero() || s.PerSecond != 50 {
		t.Errorf("%+v, %v", s, err)
	}
	server.SetError("LOADING")
	if _, err := Look(t.Context(), client, o, time.Now()); err == nil {
		t.Error("nobody says that Redis can't be asked")
	}
}
