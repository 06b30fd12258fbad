package config

import (
	"reflect"
	"testing"
	"time"

	"disburser/payout/secrets"
)

func twoConfigs() (a, b Config) {
	make := func() Config {
		c, m := Default(), DefaultMerchant()
		m.Secret = secrets.New("hunter2")
		c.Merchants = map[string]Merchant{"eg": m, "br": m}
		c.Admin.Token = secrets.New("token")
		return c
	}
	return make(), make()
}

func TestDiff(t *testing.T) {
	a, b := twoConfigs()
	if d := Diff(a, b); len(d) > 0 {
		t.Errorf("the same twice: %v", d)
	}
	eg := b.Merchants["eg"]
	eg.Send.Rate, eg.Poll.GiveUp, eg.Secret, eg.NoRecord.Codes = 7.5, time.Hour, secrets.New("hunter3"), []string{"8000", "4040"}
	b.Merchants["eg"], b.Merchants["mx"] = eg, eg
	delete(b.Merchants, "br")
	b.Log.Level, b.Kafka.TLS.CAFile, b.Redis.DB, b.Kafka.SASL.Username, b.Breaker.MaxOpenFor = "debug", "/ca", 1, "u", time.Hour
	want := []Difference{
		{"breaker.max_open_for", "1m0s", "1h0m0s", true},
		{"kafka.sasl.username", "", "u", false},
		{"kafka.tls.ca_file", "", "/ca", false},
		{"log.level", "info", "debug", true},
		{"merchants.br", "there", "gone", false},
		{"merchants.eg.no_record.codes", "[8000]", "[8000 4040]", false},
		{"merchants.eg.poll.give_up", "72h0m0s", "1h0m0s", true},
		{"merchants.eg.secret", "***", "***", false},
		{"merchants.eg.send.rate", "50", "7.5", true},
		{"merchants.mx", "not there", "new", false},
		{"redis.db", "0", "1", false},
	}
	if got := Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestReloaded(t *testing.T) {
	a, b := twoConfigs()
	eg := b.Merchants["eg"]
	eg.Send.Rate, eg.Send.Burst, eg.Secret = 7.5, 9, secrets.New("hunter3")
	b.Merchants["eg"], b.Merchants["mx"] = eg, eg
	delete(b.Merchants, "br")
	b.Log.Level, b.Log.Format = "debug", "console"
	c := a.Reloaded(b)
	want := []Difference{{"log.level", "info", "debug", true}, {"merchants.eg.send.burst", "5", "9", true}, {"merchants.eg.send.rate", "50", "7.5", true}}
	if got := Diff(a, c); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if again, _ := twoConfigs(); len(Diff(a, again)) > 0 {
		t.Error("the old one was changed")
	}
}

// What a running instance takes at SIGHUP. A key more is a promise more: nothing built from its old value may stay.
func TestWhatIsReloaded(t *testing.T) {
	var reloaded []string
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		for _, k := range keysOf(of) {
			at, field := join(path, k.name), of.FieldByIndex(k.index).Type
			switch {
			case field == reflect.TypeFor[map[string]Merchant]():
				walk(at+".*", field.Elem())
			case isSection(field):
				walk(at, field)
			case k.reload:
				reloaded = append(reloaded, at)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	same(t, reloaded, []string{
		"merchants.*.send.rate", "merchants.*.send.burst", "merchants.*.query.rate", "merchants.*.query.burst",
		"merchants.*.poll.first", "merchants.*.poll.factor", "merchants.*.poll.max", "merchants.*.poll.give_up", "merchants.*.poll.learn",
		"breaker.failure_ratio", "breaker.min_requests", "breaker.open_for", "breaker.max_open_for", "breaker.refusals",
		"log.level",
	})
}
