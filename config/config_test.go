package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"disburser/payout/secrets"
)

// hunter2 begins every secret of the tests; no message and no print may have it.
const hunter2 = "hunter2"

// env is what the tests' variables hold, odd for YAML where it can be.
var env = map[string]string{
	"REDIS_SECRET": hunter2 + ": {[#'\"",
	"EMPTY":        "",
	"NUMBER":       "7",
	"BROKERS":      "a:1, b:2,",
	"NESTED":       "${NUMBER}",

	"LONG": hunter2 + " that is longer than 32 bytes",

	"PAYPRO_EG_SECRET": hunter2 + "-eg",
	"PAYPRO_BR_SECRET": hunter2 + "-br",
}

func rules() Rules {
	return Rules{
		Countries: map[string]bool{"egypt": false, "brazil": false, "india": true},
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// with is the minimal file with from replaced, or to added at its end.
func with(t testing.TB, from, to string) string {
	t.Helper()
	minimal := read(t, "testdata/minimal.yaml")
	if from == "" {
		return minimal + to
	}
	if !strings.Contains(minimal, from) {
		t.Fatalf("minimal.yaml has no %q", from)
	}
	return strings.Replace(minimal, from, to, 1)
}

func good(t testing.TB, text string) (Config, []string) {
	t.Helper()
	c, warnings, err := Parse("f", []byte(text), rules())
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func noSecret(t testing.TB, text string) {
	t.Helper()
	if strings.Contains(text, hunter2) {
		t.Errorf("prints a secret: %s", text)
	}
}

func TestMinimalHasTheDefaults(t *testing.T) {
	got, warnings := good(t, with(t, "", ""))
	same(t, warnings, nil)
	want := Default()
	want.Kafka.Brokers = []string{"localhost:9092"}
	want.Redis.Addresses = []string{"localhost:6379"}
	m := DefaultMerchant()
	m.Country, m.BaseURL, m.MerchantNo = "egypt", "https://paypro.example.com/egy-pay", "0000000001"
	m.NotifyURL, m.Secret = "https://example.com/notify", secrets.New("hunter2&*!")
	want.Merchants = map[string]Merchant{"eg": m}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The defaults that people rely on, so that nobody changes one by accident.
func TestContractDefaults(t *testing.T) {
	got := fmt.Sprintf("%+v %+v", Default(), DefaultMerchant())
	want := "{Kafka:{Brokers:[] Group:disburser SessionTimeout:10s Topics:{Commands:payout.commands Results:payout.results" +
		" Decisions:payout.decisions DeadLetter:payout.dead-letter Actions:payout.actions Batches:payout.batches} RequireReplicas:0 TLS:{Enabled:false CAFile: CertFile: KeyFile:}" +
		" SASL:{Mechanism: Username: Password:***}} Redis:{Addresses:[] MasterName: Username: Password:*** SentinelUsername: SentinelPassword:*** TLS:false DB:0" +
		" Namespace:disburser Shards:1 DedupWindow:720h0m0s} Merchants:map[] Breaker:{FailureRatio:0.5 MinRequests:20 Window:30s" +
		" OpenFor:10s MaxOpenFor:1m0s Probes:3 Refusals:20} Actions:{Staleness:1s Key:*** OldKeys:[] TwoPeople:[]} Disburse:{Slots:128 Lease:30s MaxOpen:1000000 MaxParked:1000000 Drain:25s}" +
		" Admin:{Listen:127.0.0.1:8080 Token:***} Backoffice:{Listen:127.0.0.1:8088 Database:*** PayeeKey:*** Keep:9600h0m0s Disbursers:[] Users:[]} UnknownMerchantGrace:5m0s Log:{Level:info Format:json}}" +
		" {Country: BaseURL: MerchantNo: Secret:*** NotifyURL: Currency: Salt:suffix SignIn: AcceptUnverified:false" +
		" Paths:{Send: Query: Balance:} Fields:map[] Amount:{Min: Max: Decimals:} UnknownStatus:hold Contradiction:announce Timeout:10s Send:{Rate:50 Burst:5}" +
		" Query:{Rate:100 Burst:10} Poll:{First:2s Factor:1.6 Max:5m0s GiveUp:72h0m0s Learn:true}" +
		" NoRecord:{Answers:3 Every:5m0s Then:hold Codes:[8000] EmptyData:false} TooFast:{Codes:[]} Extra:{Send:map[] Query:map[] Balance:map[]}}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestExampleFile(t *testing.T) {
	const path = "../deployments/disburser.example.yaml"
	c, warnings, err := Load(path, rules())
	if err != nil {
		t.Fatal(err)
	}
	same(t, warnings, nil)
	if got := c.Merchants["br-main"].Secret.Reveal(); got != hunter2+"-br" {
		t.Errorf("secret of br-main is %q", got)
	}
	// What the example shows as defaults are the defaults.
	c.Kafka.Brokers, c.Redis.Addresses, c.Merchants = nil, nil, nil
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("got  %+v\nwant %+v", c, Default())
	}
	// And it shows every key: the first merchant's equal to the default where there is one.
	text := read(t, path)
	for _, name := range allKeys(reflect.TypeFor[Config]()) {
		if !strings.Contains(text, name+":") {
			t.Errorf("the example does not show %s", name)
		}
	}
}

// allKeys are the names of all keys in a struct and in what it holds.
func allKeys(of reflect.Type) (names []string) {
	switch {
	case of == reflect.TypeFor[Merchant]():
		of = reflect.TypeFor[merchantKeys]()
	case of.Kind() == reflect.Map:
		return allKeys(of.Elem())
	case !isSection(of):
		return nil
	}
	for _, k := range keysOf(of) {
		names = append(append(names, k.name), allKeys(of.FieldByIndex(k.index).Type)...)
	}
	return names
}

func TestExampleMerchantShowsDefaults(t *testing.T) {
	c, _, err := Load("../deployments/disburser.example.yaml", rules())
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range c.Merchants {
		want := DefaultMerchant()
		want.Country, want.BaseURL, want.MerchantNo, want.Secret = m.Country, m.BaseURL, m.MerchantNo, m.Secret
		want.NotifyURL, want.Currency = m.NotifyURL, m.Currency
		if len(m.Fields) == 0 {
			m.Fields = nil
		}
		if len(m.Extra.Send)+len(m.Extra.Query)+len(m.Extra.Balance) == 0 {
			m.Extra = Extra{}
		}
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, m, want)
		}
	}
}

func TestManyMistakesAtOnce(t *testing.T) {
	c, _, err := Load("testdata/many.yaml", rules())
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("error is a %T: %v", err, err)
	}
	same(t, strings.Split(err.Error(), "\n"), strings.Split(strings.TrimSpace(read(t, "testdata/many.want")), "\n"))
	noSecret(t, fmt.Sprintf("%v %+v %#v", err, problems, problems))
	if !reflect.DeepEqual(c, Config{}) {
		t.Error("a bad file must yield no Config")
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	c, warnings := good(t, with(t, "", `
    no_record: {then: resend}
admin: {listen: ":8080", token: "${EMPTY}"}
`))
	c.Redis.Password = secrets.New(hunter2)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	noSecret(t, string(asJSON)+strings.Join(warnings, " "))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		noSecret(t, fmt.Sprintf(verb, c))
		noSecret(t, fmt.Sprintf(verb, &c))
	}
	if len(warnings) != 2 {
		t.Errorf("warnings: %q", warnings)
	}
}

func TestExpansion(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{`"${REDIS_SECRET}"`, env["REDIS_SECRET"]},
		{`${REDIS_SECRET}`, env["REDIS_SECRET"]},
		{`"a${NUMBER}b${NUMBER}c"`, "a7b7c"},
		{`"${EMPTY}"`, ""},
		{`"${EMPTY:-x y}"`, "x y"},
		{`"${NONE:-}"`, ""},
		{`"${NONE:-a:-b$}"`, "a:-b$"},
		{`"${NUMBER:-x}"`, "7"},
		{`"${NESTED}"`, "${NUMBER}"},
		{`"$$ $ $NUMBER a$"`, "$$ $ $NUMBER a$"},
		{`"$${NUMBER}"`, "$7"},
		{`007`, "007"},
		{`|-
    two
    lines`, "two\nlines"},
	} {
		text := with(t, "kafka: {brokers: [localhost:9092]}", "kafka:\n  brokers: [localhost:9092]\n  tls:\n   ca_file: "+c.yaml)
		conf, _ := good(t, text)
		if conf.Kafka.TLS.CAFile != c.want {
			t.Errorf("%s is %q, want %q", c.yaml, conf.Kafka.TLS.CAFile, c.want)
		}
	}
}
