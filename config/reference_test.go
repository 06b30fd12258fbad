package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"disburser/payout/secrets"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// The reference of all keys is made of the structs (keys, types, defaults) and of the
// remarks in the example file (what each is for).
func TestTheReferenceIsWhole(t *testing.T) {
	const page = "../docs/configuration.md"
	remarks := map[string]string{
		"kafka.group":                   "the consumer group; one for a fleet",
		"kafka.tls.enabled":             "whether brokers are reached over TLS",
		"kafka.tls.key_file":            "the key of the client certificate",
		"kafka.sasl.username":           "the login at the brokers",
		"kafka.sasl.password":           "its password",
		"redis.username":                "the login at Redis",
		"redis.password":                "its password",
		"redis.sentinel_password":       "its password",
		"redis.tls":                     "whether Redis is reached over TLS",
		"merchants.*.country":           "whose rules hold; README lists them",
		"merchants.*.merchant_no":       "the account at the provider",
		"merchants.*.notify_url":        "where the provider sends its callbacks, which the disburser does not read",
		"merchants.*.send.rate":         "sends per second, of the whole fleet",
		"merchants.*.send.burst":        "how many may leave at once after a pause",
		"merchants.*.query.rate":        "asks per second, of the whole fleet",
		"merchants.*.query.burst":       "how many may leave at once after a pause",
		"merchants.*.paths.send":        "path of a payout; \"\" = the country's own",
		"merchants.*.paths.query":       "path of a query; \"\" = the country's own",
		"merchants.*.paths.balance":     "path of a balance query; \"\" = the country's own",
		"merchants.*.fields.*.required": "whether a command must have it",
		"merchants.*.fields.*.pattern":  "a Go regular expression for the whole value",
		"merchants.*.fields.*.one_of":   "the values that are allowed; none = any",
		"merchants.*.fields.*.max_len":  "characters at most; 0 = 256",
		"merchants.*.fields.*.drop":     "the country asks for it, this merchant does not",
		"merchants.*.amount.min":        "the least amount; \"\" = the country's own",
		"merchants.*.amount.max":        "the largest amount; \"\" = the country's own",
		"merchants.*.amount.decimals":   "decimals at most; \"\" = those of the currency (ISO 4217)",
		"merchants.*.no_record.codes":   "outer codes of a query that say so",
		"merchants.*.no_record.every":   "at least so far apart",
		"merchants.*.no_record.answers": "so many answers \"no such payout\" are evidence",
		"merchants.*.secret":            "what requests are signed with; or `secret_file`, not both",
		"merchants.*.extra.send":        "constant fields of a payout that the provider wants besides the pages' own, signed like these",
		"merchants.*.extra.query":       "the same of a query",
		"merchants.*.extra.balance":     "the same of a balance query",
		"merchants.*.poll.factor":       "each pause between asks is so many times the last one",
		"merchants.*.poll.max":          "the longest pause between asks",
		"breaker.failure_ratio":         "a breaker opens when this part of the calls fails",
		"breaker.min_requests":          "of at least so many calls, or after so many failures in a row",
		"breaker.window":                "the time in which they are counted",
		"breaker.open_for":              "how long it stays open, doubled each time that the probes fail",
		"breaker.max_open_for":          "the longest that it stays open",
		"breaker.probes":                "good calls in a row that close it",
		"admin.token":                   "bearer token for the profiles",
	}
	text, err := os.ReadFile("../deployments/disburser.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	said(file.Content[0], "", remarks)

	var b strings.Builder
	b.WriteString(head)
	for i := range reflect.TypeFor[Config]().NumField() {
		field := reflect.TypeFor[Config]().Field(i)
		name := snake(field.Name)
		fmt.Fprintf(&b, "\n## %s\n\n| Key | Type | Default | For |\n|---|---|---|---|\n", name)
		if name == "merchants" {
			row(t, &b, "merchants.*", reflect.ValueOf(DefaultMerchant()), remarks)
			b.WriteString("| `merchants.*.secret_file` | text | | a file with the secret, instead of `secret` |\n")
			row(t, &b, "merchants.*.fields.*", reflect.ValueOf(Field{}), remarks)
			continue
		}
		row(t, &b, name, reflect.ValueOf(Default()).Field(i), remarks)
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/configuration.md is not what the keys are: go test ./config -run TestTheReferenceIsWhole -update (%v)", err)
	}
}

const head = `# Configuration

Every key of the configuration file. The test ` + "`TestTheReferenceIsWhole`" + ` makes this page of the configuration's structs and of the remarks in
[deployments/disburser.example.yaml](../deployments/disburser.example.yaml). It writes the page anew with
` + "`go test ./config -run TestTheReferenceIsWhole -update`" + `.

A star stands for a name of your own. A key without a default and without "optional" must be given. Durations are Go's (10s, 1h30m),
with d for 24 hours. ` + "`${NAME}`" + ` is an environment variable. ` + "`disburser check`" + ` reports every mistake with its line.
`

// said gathers the remarks of a mapping and of those in it.
func said(m *yaml.Node, path string, remarks map[string]string) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		at := join(path, key.Value)
		if path == "merchants" {
			at = "merchants.*"
		}
		for _, comment := range []string{key.LineComment, value.LineComment} {
			if text := strings.TrimSpace(strings.TrimPrefix(comment, "#")); text != "" && remarks[at] == "" {
				remarks[at] = strings.TrimRight(strings.ReplaceAll(text, "|", "or"), ":,")
			}
		}
		if value.Kind == yaml.MappingNode && at != "merchants.*.fields" {
			said(value, at, remarks)
		}
	}
}

// row writes a line for each key at and below a value.
func row(t *testing.T, b *strings.Builder, path string, v reflect.Value, remarks map[string]string) {
	t.Helper()
	secret := v.Type() == reflect.TypeFor[secrets.Secret]()
	if v.Kind() == reflect.Struct && !secret {
		for i := range v.NumField() {
			row(t, b, join(path, snake(v.Type().Field(i).Name)), v.Field(i), remarks)
		}
		return
	}
	kind, value := "", ""
	switch x := v.Interface().(type) {
	case secrets.Secret:
		kind, value = "secret", "optional"
		if path == "merchants.*.secret" {
			value = ""
		}
	case time.Duration:
		kind, value = "duration", short(x)
	case string:
		kind, value = "text", "`"+x+"`"
		if x == "" {
			value = "`\"\"`"
		}
	case bool:
		kind, value = "true or false", fmt.Sprintf("`%v`", x)
	case []string:
		kind, value = "list", fmt.Sprintf("`[%s]`", strings.Join(x, ", "))
	case map[string]Field, map[string]string:
		kind, value = "by name", "`{}`"
	default:
		kind, value = "number", fmt.Sprintf("`%v`", x)
	}
	switch path {
	case "kafka.brokers", "redis.addresses", "merchants.*.country", "merchants.*.base_url", "merchants.*.merchant_no", "merchants.*.notify_url":
		value = ""
	}
	if remarks[path] == "" {
		t.Errorf("%s: neither the example file nor this test says what it is for", path)
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", path, kind, value, remarks[path])
}

func short(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if text = strings.TrimSuffix(text, "0m"); text == "" || strings.HasSuffix(d.String(), "0s") && !strings.HasSuffix(d.String(), "m0s") {
		text = d.String()
	}
	return "`" + text + "`"
}
