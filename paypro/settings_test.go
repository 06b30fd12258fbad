package paypro

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/secrets"
)

func TestCountries(t *testing.T) {
	verified := map[string]bool{
		"egypt": true, "brazil": true, "indonesia": true, "pakistan": true, "philippines": false, "india": false, "kenya": true,
		"mexico": true, "bangladesh": false, "nigeria": false, "vietnam": true, "south_korea": false,
	}
	if len(Countries()) != len(verified) {
		t.Errorf("%d countries", len(Countries()))
	}
	for _, country := range Countries() {
		if want, known := verified[country.Name]; !known || country.Verified != want || len(country.Currency) != 3 {
			t.Errorf("%+v", country)
		}
		s := merchant(country.Name)
		s.AcceptUnverified = false
		_, err := New(s, nil)
		if country.Verified != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), "accept_unverified: ") {
			t.Errorf("%s without accept_unverified: %v", country.Name, err)
		}
	}
}

// One error lists all mistakes, each with the name of its setting, none with a secret.
func TestNewTellsAll(t *testing.T) {
	_, err := New(Settings{
		Country: "nigeria", BaseURL: "https://user:" + testSecret + "@host/", MerchantNo: "1\n", Secret: secrets.New(testSecret + "\n"),
		NotifyURL: "ftp://x", Salt: "middle", SignIn: "query", Paths: Paths{Send: "payout", Query: "/x?y", Balance: "/../x"},
		Fields:    map[string]Field{"amount": {}, "a b": {}, "c": {Pattern: "("}, "d": {MaxLen: -1}, "gone": {Drop: true}},
		AmountMin: "0", AmountMax: "-1", NoRecordCodes: []string{"0000"}, Timeout: -1,
	}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	var names []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(line, ": ")
		names = append(names, name)
	}
	want := []string{
		"base_url", "merchant_no", "secret", "notify_url", "salt", "sign_in", "no_record.codes", "timeout", "accept_unverified",
		"paths.send", "paths.query", "paths.balance", "fields.a b", "fields.amount", "fields.c", "fields.d", "amount.min", "amount.max",
	}
	if !slices.Equal(names, want) || leaks(err.Error()) {
		t.Errorf("got %q\n%v", names, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		change func(*Settings)
		want   string
	}{
		{func(s *Settings) { s.Country = "" }, "country: is required"},
		{func(s *Settings) { s.Country = "Egypt" }, `country: "Egypt" is unknown`},
		{func(s *Settings) { s.BaseURL = "" }, "base_url: is required"},
		{func(s *Settings) { s.BaseURL = "paypro.test/x" }, "base_url: must be an absolute URL"},
		{func(s *Settings) { s.BaseURL += "?a=1" }, "base_url: must not carry a query"},
		{func(s *Settings) { s.BaseURL += "#a" }, "base_url: must not carry a #fragment"},
		{func(s *Settings) { s.BaseURL = "https://zahlung-ü.test/x" }, "base_url: must name its host in ASCII letters"},
		{func(s *Settings) { s.BaseURL = "http://[fe80::1%25eth0]/x" }, "base_url: must name its host in ASCII letters"},
		{func(s *Settings) { s.MerchantNo = "" }, "merchant_no: is required"},
		{func(s *Settings) { s.Secret = secrets.Secret{} }, "secret: is required"},
		{func(s *Settings) { s.NotifyURL = "" }, "notify_url: is required"},
		{func(s *Settings) { s.AmountMin, s.AmountMax = "20", "10" }, "amount.min: is above amount.max"},
		{func(s *Settings) { s.AmountMin = "10001" }, "amount.min: is above amount.max"},
		{func(s *Settings) { s.NoRecordCodes = []string{"5000"} }, "no_record.codes: 5000 is a system exception"},
		{func(s *Settings) { s.TooFastCodes = []string{"0029"} }, "too_fast.codes: 0029 is a code that the provider's pages explain"},
		{func(s *Settings) { s.TooFastCodes = []string{"8000"} }, "too_fast.codes: 8000 is a code that the provider's pages explain"},
		{func(s *Settings) { s.TooFastCodes, s.NoRecordCodes = []string{"4040"}, []string{"4040"} }, "too_fast.codes: 4040 is in no_record.codes"},
		{func(s *Settings) { s.TooFastCodes = []string{""} }, `too_fast.codes: "" is not a code`},
		{func(s *Settings) { s.NoRecordCodes = []string{""} }, `no_record.codes: "" is not a code`},
	} {
		s := egypt()
		test.change(&s)
		if _, err := New(s, nil); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// The operator's settings override the pages.
func TestOverrides(t *testing.T) {
	s := egypt()
	s.Paths = Paths{Send: "/v2/pay", Balance: "/v2/balance"}
	s.Fields = map[string]Field{
		"walletId": {Required: true, Pattern: `01\d{9}`}, "city": {OneOf: []string{"Cairo", "Giza"}, MaxLen: 10}, "customerName": {Drop: true},
	}
	s.AmountMin, s.AmountMax = "5", "20000"
	c := client(t, s, nil)
	for want, payee := range map[string]map[string]string{
		"":                             {"walletId": "01123456789", "city": "Cairo"},
		"payee.walletId is required":   {},
		`payee.walletId must match 01`: {"walletId": "1"},
		"payee.city must be one of":    {"walletId": "01123456789", "city": "Rome"},
		"payee.city must not be":       {"walletId": "01123456789", "city": "Cairo Cairo Cairo"},
	} {
		err := c.Check(payout.Command{Amount: amount(t, "20000"), Payee: payout.NewPayee(payee)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	o := c.payoutRequest(egyptCommand(t), time.Now())
	if o.params.value("customerName") != "" || o.path != "/v2/pay" || c.profile.paths.Query != queryPath {
		t.Errorf("%+v", o)
	}
	for _, says := range c.Unverified() {
		if strings.HasPrefix(says, "paths.balance") {
			t.Errorf("settled, and still said: %s", says)
		}
	}
	if own, _ := findCountry("egypt"); len(own.fields) != 2 || own.fields["city"].OneOf != nil {
		t.Error("one merchant's settings changed the country")
	}
}

func TestUnverified(t *testing.T) {
	for country, words := range map[string][]string{
		"egypt":       {"salt", "paths.balance"},
		"brazil":      {"salt", "sign_in"},
		"indonesia":   {"JSON numbers"},
		"kenya":       {"no timestamp"},
		"mexico":      {"neither body nor sign"},
		"india":       {"bankNCode", "paths.query", "accept_unverified"},
		"philippines": {"paths.send", "vexora"},
		"nigeria":     {"paths.send", "no page names the payee fields"},
	} {
		all := strings.Join(client(t, merchant(country), nil).Unverified(), "\n")
		for _, word := range words {
			if !strings.Contains(all, word) {
				t.Errorf("%s says nothing of %s:\n%s", country, word, all)
			}
		}
	}
	s := merchant("brazil")
	s.SignIn = "body"
	if all := fmt.Sprint(client(t, s, nil).Unverified()); strings.Contains(all, "sign_in: the older") {
		t.Errorf("settled, and still said: %s", all)
	}
}
