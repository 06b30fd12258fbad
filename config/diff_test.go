package config

import (
	"reflect"
	"strings"
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
		{"breaker.max_open_for", "1m0s", "1h0m0s"},
		{"kafka.sasl.username", "", "u"},
		{"kafka.tls.ca_file", "", "/ca"},
		{"log.level", "info", "debug"},
		{"merchants.br", "there", "gone"},
		{"merchants.eg.no_record.codes", "[8000]", "[8000 4040]"},
		{"merchants.eg.poll.give_up", "72h0m0s", "1h0m0s"},
		{"merchants.eg.secret", "***", "***"},
		{"merchants.eg.send.rate", "50", "7.5"},
		{"merchants.mx", "not there", "new"},
		{"redis.db", "0", "1"},
	}
	if got := Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWith(t *testing.T) {
	a, b := twoConfigs()
	eg := b.Merchants["eg"]
	eg.Send.Rate, eg.Send.Burst, eg.Secret = 7.5, 9, secrets.New("hunter3")
	b.Merchants["eg"], b.Merchants["mx"] = eg, eg
	delete(b.Merchants, "br")
	b.Log.Level, b.Log.Format = "debug", "console"
	c := a.With(b, func(key string) bool { return key == "log.level" || key == "merchants.eg.send.rate" })
	want := []Difference{{"log.level", "info", "debug"}, {"merchants.eg.send.rate", "50", "7.5"}}
	if got := Diff(a, c); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if again, _ := twoConfigs(); len(Diff(a, again)) > 0 {
		t.Error("the old one was changed")
	}
}

// Every key that Diff can name is one that the file can have.
func TestDiffNamesKeysOfTheFile(t *testing.T) {
	var c Config
	var m Merchant
	known := map[string]keys{
		"": c.keys(), "kafka": c.Kafka.keys(), "redis": c.Redis.keys(), "breaker": c.Breaker.keys(), "disburse": c.Disburse.keys(),
		"merchant": m.keys(), "merchant.send": m.Send.keys(), "merchant.query": m.Query.keys(), "merchant.poll": m.Poll.keys(), "merchant.no_record": m.NoRecord.keys(),
	}
	for section, of := range map[string]any{
		"": c, "kafka": c.Kafka, "redis": c.Redis, "breaker": c.Breaker, "disburse": c.Disburse, "merchant": m,
		"merchant.send": m.Send, "merchant.query": m.Query, "merchant.poll": m.Poll, "merchant.no_record": m.NoRecord,
	} {
		fields := reflect.TypeOf(of)
		if fields.NumField() != len(known[section]) {
			t.Errorf("%q: %d fields, %d keys", section, fields.NumField(), len(known[section]))
		}
		for i := range fields.NumField() {
			if key := snake(fields.Field(i).Name); known[section][key] == nil {
				t.Errorf("%q has no key %s", section, key)
			}
		}
	}
	for name, key := range map[string]string{"CAFile": "ca_file", "BaseURL": "base_url", "SASL": "sasl", "TLS": "tls", "DB": "db", "OneOf": "one_of", "MaxOpenFor": "max_open_for"} {
		if got := snake(name); got != key || strings.Contains(got, "__") {
			t.Errorf("%s is %s", name, got)
		}
	}
}
