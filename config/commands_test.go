package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Whoever checks a file of payouts has the configuration, and none of the service's secrets.
func TestOnlyWhatCommandsNeedIsRead(t *testing.T) {
	const file = `
kafka: {brokers: ["${NOBODY_SETS_IT}"], nonsense: 1}
backoffice: {payee_key: "${NOBODY_SETS_IT}"}
redis: [not, a, mapping]
merchants:
  eg-main:
    country: "${COUNTRY}"
    base_url: "${NOBODY_SETS_IT}"
    secret: "${NOBODY_SETS_IT}"
    secret_file: /nowhere
    currency: EGP
    amount: {max: "${MOST:-5000}"}
    fields: {customerName: optional, walletId: {pattern: "01[0-9]{9}", required: true}}
    extra: {send: {key: "${NOBODY_SETS_IT}"}}
    send: {rate: nonsense}
`
	var read []string
	rules := Rules{
		Countries: map[string]bool{"egypt": true},
		ReadFile:  func(name string) ([]byte, error) { read = append(read, name); return []byte(file), nil },
		LookupEnv: func(name string) (string, bool) {
			return map[string]string{"COUNTRY": "egypt"}[name], name == "COUNTRY"
		},
	}
	merchants, err := LoadForCommands("c.yaml", rules)
	if err != nil || len(read) != 1 {
		t.Fatal(read, err)
	}
	m := merchants["eg-main"]
	if m.Country != "egypt" || m.Currency != "EGP" || m.Amount.Max != "5000" || !m.Fields["walletId"].Required || m.Fields["customerName"].Required {
		t.Errorf("%+v", m)
	}
	if m.BaseURL != "" || !m.Secret.IsEmpty() || len(m.Extra.Send) > 0 {
		t.Errorf("more was read: %+v", m)
	}
}

// What is read is checked as ever, each mistake with its line.
func TestMistakesInWhatCommandsNeed(t *testing.T) {
	for file, want := range map[string]string{
		"kafka: {}\n":                                                               "c.yaml:1: merchants must name at least one merchant",
		"merchants:\n  a: {country: egpt}\n":                                        "c.yaml:2: merchants.a.country must be one of egypt, is \"egpt\": did you mean egypt?",
		"merchants:\n  a: {curency: EGP, country: egypt}\n":                         "c.yaml:2: merchants.a.curency is not a known key: did you mean currency?",
		"merchants:\n  a: {currency: EGP}\n":                                        "c.yaml:2: merchants.a.country is required",
		"merchants:\n  a: {country: egypt, amount: {min: 5, max: 4}}\n":             "c.yaml:2: merchants.a.amount.max must not be less than min, is 4",
		"merchants:\n  a: {country: egypt, currency: Pounds}\n":                     "merchants.a.currency must be three capital letters",
		"merchants:\n  a: {country: egypt, fields: {x: {pattern: \"[\"}}}\n":        "merchants.a.fields.x.pattern must be a regular expression",
		"merchants:\n  a: {country: \"${NOBODY_SETS_IT}\"}\n":                       "needs the environment variable NOBODY_SETS_IT",
		"merchants:\n  a: {country: egypt}\n  a: {country: egypt}\n":                "stands twice",
		"merchants: {a: {country: egypt, fields: {x: {drop: true, max_len: 5}}}}\n": "must not be dropped and have other rules too",
	} {
		rules := Rules{
			Countries: map[string]bool{"egypt": false},
			ReadFile:  func(string) ([]byte, error) { return []byte(file), nil },
			LookupEnv: func(string) (string, bool) { return "", false },
		}
		_, err := LoadForCommands("c.yaml", rules)
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// Whoever rehearses a file has the configuration, and none of the service's secrets and addresses.
func TestOnlyWhatARehearsalNeedsIsRead(t *testing.T) {
	const file = `
kafka: {brokers: ["${NOBODY_SETS_IT}"], nonsense: 1}
redis: {addresses: ["${NOBODY_SETS_IT}"], password: "${NOBODY_SETS_IT}", dedup_window: 48h}
disburse: {slots: 7}
breaker: {probes: 9}
actions: {key: "${NOBODY_SETS_IT}"}
merchants:
  eg-main: {country: egypt, base_url: "${NOBODY_SETS_IT}", secret: "${NOBODY_SETS_IT}", send: {rate: 3, burst: 2}, poll: {max: 4m}, timeout: 4s}
`
	load := func(text string) (Config, error) {
		return LoadForRehearsal("c.yaml", Rules{
			ReadFile:  func(string) ([]byte, error) { return []byte(text), nil },
			LookupEnv: func(string) (string, bool) { return "", false },
		})
	}
	c, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Merchants["eg-main"]
	if c.Redis.DedupWindow != 48*time.Hour || c.Disburse.Slots != 7 || c.Breaker.Probes != 9 || m.Send != (Rate{3, 2}) || m.Poll.Max != 4*time.Minute || m.Timeout != 4*time.Second {
		t.Errorf("%+v", c)
	}
	if m.Poll.First != 2*time.Second || c.Redis.Shards != 1 || c.Disburse.MaxOpen != 1_000_000 || m.BaseURL != "" || len(c.Kafka.Brokers) > 0 {
		t.Errorf("defaults: %+v", c)
	}
	for text, want := range map[string]string{
		"merchants: {a: {country: egypt, poll: {first: 9m}}}":                   "merchants.a.poll.max must not be less than first",
		"merchants: {a: {country: egypt, timeout: 10m}}":                        "disburse.lease",
		"merchants: {a: {country: egypt}}\nbreaker: {open_for: 9m}":             "breaker.max_open_for must not be less than open_for",
		"merchants: {a: {country: egypt, send: {rate: 0, burst: 1}}}":           "merchants.a.send.rate",
		"merchants: {a: {country: egypt, no_record: {codes: [\"0000\"]}}}":      "must not have 0000",
		"merchants: {a: {country: egypt, too_fast: {codes: [\"8000\"]}}}":       "too_fast.codes",
		"merchants: {a: {country: egypt}}\nredis: {dedup_window: 1s}":           "redis.dedup_window",
		"merchants: {a: {country: egypt, unknown_status: {a: b}, timeout: 4s}}": "merchants.a.unknown_status",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// Whoever writes an action has Kafka's login and the key, and none of the other secrets.
func TestOnlyWhatAnActionNeedsIsRead(t *testing.T) {
	const file = `
kafka: {brokers: ["k:9092"], topics: {actions: said}, tls: {enabled: true}, sasl: {mechanism: plain, username: ops, password: "${WORD}"}}
actions: {key: "${WORD}", two_people: [resume]}
redis: [not, a, mapping]
merchants: {eg-main: {secret: "${NOBODY_SETS_IT}"}}
backoffice: {payee_key: "${NOBODY_SETS_IT}"}
`
	rules := Rules{
		ReadFile:  func(string) ([]byte, error) { return []byte(file), nil },
		LookupEnv: func(name string) (string, bool) { return "a key of thirty-two bytes or more", name == "WORD" },
	}
	c, err := LoadForActions("c.yaml", rules)
	if err != nil || c.Kafka.Topics.Actions != "said" || !c.Kafka.TLS.Enabled || c.Kafka.SASL.Password.IsEmpty() || c.Actions.Key.IsEmpty() || len(c.Merchants) > 0 {
		t.Errorf("%+v %v", c, err)
	}
	rules.LookupEnv = nil
	if _, err := LoadForActions("c.yaml", rules); err == nil || !strings.Contains(err.Error(), "WORD") || strings.Contains(err.Error(), "NOBODY_SETS_IT") {
		t.Error(err)
	}
}
