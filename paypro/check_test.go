package paypro

import (
	"maps"
	"strings"
	"testing"

	"disburser/payout"
)

// good is a valid payee for each country.
var good = map[string]map[string]string{
	"egypt":       {"customerName": "kevin", "walletId": "01123456789"},
	"brazil":      {"name": "joão", "email": "a@b.c", "mobile": "1", "bankType": "EVP", "bankNumber": "x-1", "identityType": "CPF", "userIdentity": "12345678901"},
	"indonesia":   {"customerName": "kevin", "mobile": "6281245907765", "email": "a@b.c", "bankAccountNo": "5464438554636", "bankCode": "0002"},
	"pakistan":    {"name": "k", "customerCert": "1234567890123", "email": "a@b.c", "mobile": "3123456789", "accountType": "BANK", "bankName": "ALLIED_BANK_LIMITED", "bankNumber": "1"},
	"philippines": {"accountName": "k", "bankName": "Maya", "bankNumber": "09123456789"},
	"india":       {"ipAddress": "127.0.0.1", "name": "abc", "mobile": "8234567890", "email": "a@b.c", "bankNumber": "10094038292", "bankNCode": "IDFB0043121"},
	"kenya":       {"mobile": "254712345678"},
	"mexico":      {"wayCode": "BANXICO", "customerName": "k", "customerAccountType": "CLABE", "customerAccount": "anything"},
	"bangladesh":  {"walletId": "01123456789", "wayCode": "EWALLET_NAGAD"},
	"nigeria":     {"anything": "goes"},
	"vietnam":     {"accountName": "NGUYEN THE VIET", "bankName": "ACB", "bankNumber": "18199852"},
	"south_korea": {"anything": "goes"},
}

// amountOf is a valid amount for the country.
func amountOf(country string) string {
	if country == "vietnam" {
		return "50000"
	}
	return "300"
}

func TestCheckGood(t *testing.T) {
	for _, country := range Countries() {
		cmd := payout.Command{TradeNo: "t", Amount: amount(t, amountOf(country.Name)), Payee: payout.NewPayee(good[country.Name])}
		if err := client(t, merchant(country.Name), nil).Check(cmd); err != nil {
			t.Errorf("%s: %v", country.Name, err)
		}
	}
}

// An error names every required field that is missing.
func TestCheckRequired(t *testing.T) {
	for country, payee := range good {
		c := client(t, merchant(country), nil)
		for name := range payee {
			without := maps.Clone(payee)
			delete(without, name)
			want := "payee." + name + " is required"
			if c.profile.anyPayee {
				want = "payee is required"
			}
			for _, value := range []string{"", " "} {
				if value != "" && !c.profile.anyPayee {
					without[name] = value
				}
				err := c.Check(payout.Command{Amount: amount(t, amountOf(country)), Payee: payout.NewPayee(without)})
				if err == nil || err.Error() != want {
					t.Errorf("%s without %s: %v", country, name, err)
				}
			}
		}
	}
}

func TestCheckRules(t *testing.T) {
	for _, test := range []struct {
		country, field, value, want string // want "" = accepted
	}{
		{"egypt", "walletId", "x", ""},
		{"egypt", "customerName", "a\nb", "payee.customerName must be UTF-8 text without control characters"},
		{"egypt", "customerName", "\xff", "payee.customerName must be UTF-8 text without control characters"},
		{"egypt", "customerName", strings.Repeat("é", 256), ""},
		{"egypt", "customerName", strings.Repeat("é", 257), "payee.customerName must not be longer than 256 characters"},
		{"egypt", "unknown", "\x00", ""}, // unknown names are ignored
		{"brazil", "bankType", "cpf", "payee.bankType must be one of CPF, CNPJ, EMAIL, PHONE, EVP"},
		{"brazil", "identityType", "EVP", "payee.identityType must be one of CPF, CNPJ"},
		{"indonesia", "mobile", "0812345678", ""},
		{"indonesia", "mobile", "0812345678901", ""},
		{"indonesia", "mobile", "6281234567", ""},
		{"indonesia", "mobile", "081234567", "payee.mobile must start with 08 or 628 and have 10 to 13 digits"},
		{"indonesia", "mobile", "08123456789012", "payee.mobile must start with 08 or 628 and have 10 to 13 digits"},
		{"indonesia", "mobile", "+628123456789", "payee.mobile must start with 08 or 628 and have 10 to 13 digits"},
		{"pakistan", "customerCert", "12345-678901-2", "payee.customerCert must be 13 digits without dashes"},
		{"pakistan", "customerCert", "123456789012", "payee.customerCert must be 13 digits without dashes"},
		{"pakistan", "mobile", "4123456789", "payee.mobile must be 10 digits starting with 3"},
		{"pakistan", "mobile", "3123456789\n", "payee.mobile must be UTF-8 text without control characters"},
		{"pakistan", "accountType", "CARD", "payee.accountType must be one of BANK, WALLET"},
		{"india", "mobile", "918234567890", ""},
		{"india", "mobile", "5234567890", "payee.mobile must be 10 digits starting with 6 to 9"},
		{"india", "bankNCode", "IDFB004312", "payee.bankNCode must be an IFSC of 11 letters and digits"},
		{"kenya", "mobile", "254112345678", ""},
		{"kenya", "mobile", "254212345678", "payee.mobile must be 12 digits starting with 2541 or 2547"},
		{"kenya", "mobile", "2547123456789", "payee.mobile must be 12 digits starting with 2541 or 2547"},
		{"mexico", "customerAccountType", "clabe", "payee.customerAccountType must be one of DebitCard, CLABE"},
		{"mexico", "identity", "x", ""},
		{"bangladesh", "wayCode", "EWALLET", "payee.wayCode must be one of EWALLET_BKASH, EWALLET_ROCKET, EWALLET_NAGAD"},
		{"vietnam", "accountName", "NGUYỄN", "payee.accountName must be Latin letters without Vietnamese marks"},
		{"egypt", "walletId", "\u200b", "payee.walletId must not have the invisible character U+200B"},
		{"egypt", "walletId", "\u202a01123456789\u202c", "payee.walletId must not have the invisible character U+202A"},
		{"egypt", "walletId", "0112345\u20656789", "payee.walletId must not have the invisible character U+2065"},
		{"egypt", "walletId", "0112345 6789", "payee.walletId must not have white space (U+0020)"},
		{"egypt", "walletId", "01123456789\u00a0", "payee.walletId must not have white space (U+00A0)"},
		{"egypt", "walletId", "٠1123456789", "payee.walletId must not have U+0660, a digit that is not one of 0 to 9"},
		{"egypt", "walletId", "０1123456789", "payee.walletId must not have U+FF10, a digit that is not one of 0 to 9"},
		{"egypt", "customerName", "\u0646\u200c\u0627 \u0915\u094d\u200d", ""},
		{"egypt", "customerName", "\u200b\u200d\ufeff", "payee.customerName is required: it has nothing but invisible characters"},
		{"mexico", "customerMobile", "55\u200b1", "payee.customerMobile must not have the invisible character U+200B"},
		{"mexico", "customerEmail", "a @b.c", "payee.customerEmail must not have white space (U+0020)"},
		{"brazil", "bankNumber", "a\u200db", "payee.bankNumber must not have the invisible character U+200D"},
		{"brazil", "email", "josé@exemplo.br", ""}, // letters may be anybody's
		{"nigeria", "bankAccountNo", "1\u200b", "payee.bankAccountNo must not have the invisible character U+200B"},
		{"nigeria", "whatever", "12 Main Street", ""},
		{"nigeria", "amount", "1", "payee.amount is filled in by the disburser"},
		{"nigeria", "01123456789 kevin", "1", "payee has a field whose name is not letters and digits"},
		{"nigeria", "name", "a\x00", "payee.name must be UTF-8 text without control characters"},
	} {
		payee := maps.Clone(good[test.country])
		payee[test.field] = test.value
		err := client(t, merchant(test.country), nil).Check(payout.Command{Amount: amount(t, amountOf(test.country)), Payee: payout.NewPayee(payee)})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s %s = %q: got %q, want %q", test.country, test.field, test.value, got, test.want)
		}
	}
}

func TestCheckAmount(t *testing.T) {
	const whole = "amount must be a whole number without a decimal point"
	for _, test := range []struct{ country, amount, want string }{
		{"egypt", "99", "amount must be at least 100"},
		{"egypt", "100", ""},
		{"egypt", "10000", ""},
		{"egypt", "10001", "amount must be at most 10000"},
		{"egypt", "300.00", whole},
		{"brazil", "0.01", ""},
		{"indonesia", "1.5", whole},
		{"pakistan", "1", ""},
		{"pakistan", "0.5", whole},
		{"kenya", "1", ""},
		{"kenya", "1.0", whole},
		{"mexico", "1.0", whole},
		{"vietnam", "49999", "amount must be at least 50000"},
		{"vietnam", "50000.0", whole},
		{"india", "1.5", ""},
		{"bangladesh", "1.5", ""},
		{"philippines", "1.5", ""},
	} {
		err := client(t, merchant(test.country), nil).Check(payout.Command{Amount: amount(t, test.amount), Payee: payout.NewPayee(good[test.country])})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.country, test.amount, got, test.want)
		}
	}
	err := client(t, egypt(), nil).Check(payout.Command{Remark: "\xff"})
	want := "amount is required; payee.customerName is required; payee.walletId is required; remark must be UTF-8"
	if err == nil || err.Error() != want {
		t.Errorf("nothing given: %v", err)
	}
}

// For every field of every country it is fixed whether machines or people read it.
func TestKindsOfFields(t *testing.T) {
	words := map[string]bool{"customerName": true, "name": true, "accountName": true, "bankName": true}
	for _, p := range countries {
		for name := range p.fields {
			if isFreeText(name) != words[name] {
				t.Errorf("%s: %s is taken for text for people: %v", p.name, name, isFreeText(name))
			}
		}
	}
	for name, want := range map[string]bool{
		"IBAN": false, "pixKey": false, "bank_number": false, "mobile2": false, "recipientID": false, "beneficiary": true, "city": true, "street": true,
		"username": true, "no": false, "note": true, "idea": true,
	} {
		if isFreeText(name) != want {
			t.Errorf("%s is taken for text for people: %v", name, !want)
		}
	}
}

// An amount may have as many decimals as its currency, counted as they are written.
func TestCheckDecimals(t *testing.T) {
	const whole = "amount must be a whole number without a decimal point"
	for _, test := range []struct{ country, decimals, amount, want string }{
		{"brazil", "", "300.12", ""},
		{"brazil", "", "300.12345", "amount must have at most 2 decimals"},
		{"brazil", "", "0.0000001", "amount must have at most 2 decimals"},
		{"brazil", "", "0.30000000000000004", "amount must have at most 2 decimals"},
		{"brazil", "", "300.100", "amount must have at most 2 decimals"},
		{"south_korea", "", "1000.50", whole},
		{"south_korea", "", "1000", ""},
		{"vietnam", "", "50000.0", whole},
		{"egypt", "", "300.50", whole},
		{"egypt", "2", "300.50", ""},
		{"brazil", "0", "300.0", whole},
		{"brazil", "3", "300.123", ""},
		{"brazil", "3", "300.1234", "amount must have at most 3 decimals"},
	} {
		s := merchant(test.country)
		s.AmountDecimals = test.decimals
		err := client(t, s, nil).Check(payout.Command{Amount: amount(t, test.amount), Payee: payout.NewPayee(good[test.country])})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s %q: %s: %q, want %q", test.country, test.decimals, test.amount, got, test.want)
		}
	}
	for _, text := range []string{"9", "-1", "x", "1.0"} {
		s := merchant("brazil")
		s.AmountDecimals = text
		if _, err := New(s, nil); err == nil || !strings.Contains(err.Error(), "amount.decimals: ") {
			t.Errorf("decimals %q: %v", text, err)
		}
	}
}

func TestEveryCountrysCurrencyHasItsDecimals(t *testing.T) {
	for _, p := range countries {
		if _, known := decimals[p.currency]; !known {
			t.Errorf("%s: no decimals for %s", p.name, p.currency)
		}
	}
}
