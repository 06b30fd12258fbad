package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestGoodValues(t *testing.T) {
	c, warnings := good(t, with(t, "", `
    accept_unverified: "true"
    send: {rate: "${NUMBER}", burst: " 7 "}
    query: {rate: 0.5}
    amount: {min: 10.50, max: "10.500", decimals: 3}
    fields:
      walletId: required
      bankCode: {required: true, pattern: "[A-Z]{4}$", one_of: [ABCD, 0123], max_len: 4}
      email: drop
      phone:
    no_record: {codes: [0815]}
    contradiction: hold
    extra: {send: {subMerchantNo: 0042, a: "${NUMBER}"}, query: {subMerchantNo: 0042}}
breaker: {failure_ratio: 1, open_for: 1d, max_open_for: 1d12h}
disburse: {lease: 15s, slots: }
log:
`))
	same(t, warnings, nil)
	m := c.Merchants["eg"]
	for _, x := range []struct{ got, want any }{
		{m.AcceptUnverified, true},
		{m.Send, Rate{7, 7}},
		{m.Query, Rate{0.5, 10}},
		{m.Amount, Limits{"10.50", "10.500", "3"}},
		{m.Fields, map[string]Field{
			"walletId": {Required: true}, "email": {Drop: true}, "phone": {},
			"bankCode": {Required: true, Pattern: "[A-Z]{4}$", OneOf: []string{"ABCD", "0123"}, MaxLen: 4},
		}},
		{m.NoRecord.Codes, []string{"0815"}},
		{m.Contradiction, "hold"},
		{m.Extra, Extra{Send: map[string]string{"subMerchantNo": "0042", "a": "7"}, Query: map[string]string{"subMerchantNo": "0042"}}},
		{c.Breaker.OpenFor, 24 * time.Hour},
		{c.Breaker.MaxOpenFor, 36 * time.Hour},
		{c.Disburse.Slots, 128},
		{c.Log, Default().Log},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("got %+v, want %+v", x.got, x.want)
		}
	}
}

func TestEmptyDataInsteadOfCodes(t *testing.T) {
	c, _ := good(t, with(t, "", "    no_record: {codes: [], empty_data: true}"))
	if n := c.Merchants["eg"].NoRecord; len(n.Codes) != 0 || !n.EmptyData || n.Answers != 3 {
		t.Errorf("%+v", n)
	}
}

func TestAddressesFromOneVariable(t *testing.T) {
	for _, yaml := range []string{`"${BROKERS}"`, `["${BROKERS}"]`, "[a:1, b:2]", "a:1 , b:2"} {
		c, _ := good(t, with(t, "kafka: {brokers: [localhost:9092]}", "kafka:\n  brokers: "+yaml))
		same(t, c.Kafka.Brokers, []string{"a:1", "b:2"})
	}
}

// A merchant's name may look like the path of another one's key.
func TestDottedMerchantName(t *testing.T) {
	c, _ := good(t, with(t, "", `    send: {rate: 1}
  eg.send: {country: egypt, base_url: "https://other", merchant_no: 0000000001, secret: x, notify_url: "https://a"}
`))
	if len(c.Merchants) != 2 {
		t.Errorf("merchants: %v", c.Merchants)
	}
}

func TestSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for content, want := range map[string]string{
		hunter2: hunter2, hunter2 + "\n": hunter2, hunter2 + "\r\n": hunter2, hunter2 + "\n\n": hunter2 + "\n", " x ": " x ",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		// An empty secret beside it is what an unset variable with a default leaves.
		c, _ := good(t, with(t, "secret: hunter2&*!", `secret: "${NONE:-}"`+"\n    secret_file: "+file))
		if got := c.Merchants["eg"].Secret.Reveal(); got != want {
			t.Errorf("%q gives %q, want %q", content, got, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, _, err := Load("testdata/none.yaml", Rules{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "testdata/none.yaml") {
		t.Errorf("got %v", err)
	}
}

// The deeper check sees a merchant of a good country, and its problems get the line of their
// key. A problem about a key that is wrong already is dropped.
func TestCheckMerchant(t *testing.T) {
	rules := rules()
	rules.CheckMerchant = func(name string, m Merchant) []Problem {
		if name != "eg" || m.Country != "egypt" {
			t.Errorf("asked about %s of %q", name, m.Country)
		}
		return []Problem{
			{Key: "amount.min", Text: "must be 10 or more"}, {Key: "amount.max", Text: "one"}, {Key: "amount.max", Text: "two"},
			{Key: "salt", Text: "never seen"}, {Key: "poll.first", Text: "never seen"}, {Text: "is odd"},
		}
	}
	_, _, err := Parse("f", []byte(with(t, "", `    amount:
      min: 1
    salt: pepper
    poll: 5
  in: {country: narnia}
`)), rules)
	for _, want := range []string{
		"f:11: merchants.eg.amount.min must be 10 or more\n",
		"f:10: merchants.eg.amount.max one\nf:10: merchants.eg.amount.max two\n",
		"f:4: merchants.eg is odd\n",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "never seen") {
		t.Error(err)
	}
}

func TestNoCountriesMeansAny(t *testing.T) {
	if _, _, err := Parse("f", []byte(with(t, "egypt", "narnia")), Rules{}); err != nil {
		t.Error(err)
	}
}

func TestRealEnvironment(t *testing.T) {
	t.Setenv("CONFIG_TEST_SECRET", "x: y")
	c, _, err := Parse("f", []byte(with(t, "hunter2&*!", "${CONFIG_TEST_SECRET}")), Rules{})
	if err != nil || c.Merchants["eg"].Secret.Reveal() != "x: y" {
		t.Errorf("%v %v", err, c)
	}
}

func TestIsCluster(t *testing.T) {
	for _, c := range []struct {
		redis Redis
		want  bool
	}{
		{Redis{Addresses: []string{"a:1"}}, false},
		{Redis{Addresses: []string{"a:1", "b:1"}}, true},
		{Redis{Addresses: []string{"a:1", "b:1"}, MasterName: "m"}, false},
	} {
		if got := c.redis.IsCluster(); got != c.want {
			t.Errorf("%+v: %v", c.redis, got)
		}
	}
}

// Whatever the text, there is no panic and no secret in what is printed. Every problem has a
// line that the file has. There is either a Config or problems.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/minimal.yaml", "testdata/many.yaml", "../deployments/disburser.example.yaml"} {
		f.Add([]byte(read(f, name)))
	}
	for _, c := range mistakes {
		f.Add([]byte(with(f, c.from, c.to)))
	}
	secret := "s3cr3t-of-the-env"
	f.Fuzz(func(t *testing.T, text []byte) {
		rules := rules()
		rules.LookupEnv = func(string) (string, bool) { return secret, true }
		rules.ReadFile = func(string) ([]byte, error) { return []byte(secret), nil }
		c, warnings, err := Parse("f", text, rules)
		if all := fmt.Sprintf("%v %v", warnings, err); strings.Contains(all, secret) {
			t.Errorf("prints a secret: %s", all)
		}
		problems, ok := errors.AsType[Problems](err)
		if err != nil && (!ok || len(problems) == 0) || err == nil && len(c.Merchants) == 0 {
			t.Errorf("neither problems nor a Config: %v", err)
		}
		lines := lineCount(text)
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines {
				t.Errorf("%v has line %d of %d", p, p.Line, lines)
			}
		}
	})
}

func TestAPasswordThatIsNotUsedNeedsNoVariable(t *testing.T) {
	file := func(mechanism string) string {
		return `kafka:
  brokers: [localhost:9092]
  sasl: {mechanism: "` + mechanism + `", username: u, password: "${KAFKA_PASSWORD}"}
redis: {addresses: [localhost:6379]}
merchants:
  eg: {country: egypt, base_url: "https://example.com/egy-pay", merchant_no: "0000000001", secret: s, notify_url: "https://example.com/n"}
`
	}
	rules := Rules{LookupEnv: func(string) (string, bool) { return "", false }}
	if _, _, err := Parse("f.yaml", []byte(file("")), rules); err != nil {
		t.Errorf("sasl is off: %v", err)
	}
	_, _, err := Parse("f.yaml", []byte(file("scram-sha-256")), rules)
	if want := "f.yaml:3: kafka.sasl.password needs the environment variable KAFKA_PASSWORD, which is not set"; err == nil || err.Error() != want {
		t.Errorf("sasl is on: %v, want %s", err, want)
	}
}
