package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const anyToken = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func forBackoffice(t *testing.T, file string) (Config, []string, error) {
	t.Helper()
	return LoadForBackoffice("c.yaml", Rules{
		Countries: map[string]bool{"egypt": false},
		ReadFile:  func(string) ([]byte, error) { return []byte(file), nil },
		LookupEnv: func(name string) (string, bool) {
			return "a key of thirty-two bytes or more", name == "PAYEE_KEY"
		},
	})
}

// The back office needs none of the provider's secrets, and the service none of the back office's.
func TestOnlyWhatTheBackOfficeNeedsIsRead(t *testing.T) {
	c, warnings, err := forBackoffice(t, `
kafka: {brokers: [localhost:9092], topics: {batches: b}}
redis: {addresses: "${NOBODY_SETS_IT}", password: "${NOBODY_SETS_IT}", shards: 3}
merchants: {a: {country: egypt, secret: "${NOBODY_SETS_IT}", merchant_no: "${NOBODY_SETS_IT}"}}
backoffice:
  payee_key: "${PAYEE_KEY}"
  users:
    - {name: alice, token_sha256: `+anyToken+`, roles: [viewer, operator]}
`)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	u := c.Backoffice.Users
	if c.Redis.Shards != 3 || c.Kafka.Topics.Batches != "b" || c.Merchants["a"].Country != "egypt" || len(u) != 1 || u[0].Name != "alice" || !slices.Equal(u[0].Roles, []string{Viewer, Operator}) {
		t.Errorf("%+v", c)
	}
	_, warnings = good(t, with(t, "merchants:", "backoffice: {payee_key: '${NOBODY_SETS_IT}', nonsense: 1}\nmerchants:"))
	same(t, warnings, nil)
}

func TestMistakesInTheBackOfficesSection(t *testing.T) {
	const head = "kafka: {brokers: [localhost:9092]}\nmerchants: {a: {country: egypt}}\nbackoffice:\n  payee_key: ${PAYEE_KEY}\n"
	for section, want := range map[string]string{
		"  database: mysql://x":                   "c.yaml:5: backoffice.database must be sqlite:FILE or postgres://…",
		"  listen: here":                          "backoffice.listen must be host:port or :port",
		"  disbursers: [x]":                       "backoffice.disbursers must be an absolute URL",
		"  users: {a: b}":                         "c.yaml:5: backoffice.users must be a list of users, is a mapping",
		"  users: [{token_sha256: x, roles: []}]": "token_sha256 must be 64 of 0-9 a-f",
		"  users: [{name: a, token_sha256: " + anyToken + ", roles: [boss]}]":                                                                              "roles must be of viewer, operator, approver",
		"  users: [{name: a, token_sha256: " + anyToken + ", roles: [viewer]}, {name: b, token_sha256: " + anyToken + ", roles: [viewer]}]":                "must not be another user's",
		"  users: [{name: a, token_sha256: " + anyToken + ", roles: [viewer]}, {name: a, token_sha256: " + strings.Repeat("0", 64) + ", roles: [viewer]}]": "must not stand twice",
	} {
		_, _, err := forBackoffice(t, head+section+"\n")
		problems, ok := errors.AsType[Problems](err)
		if !ok || !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Error(), want) }) {
			t.Errorf("%s: %v, want %s", section, err, want)
		}
	}
	if _, _, err := forBackoffice(t, strings.Replace(head, "  payee_key: ${PAYEE_KEY}\n", "  keep: 1d\n", 1)); err == nil || !strings.Contains(err.Error(), "backoffice.payee_key is required") {
		t.Error(err)
	}
}
