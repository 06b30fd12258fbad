package paysim

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"testing"
)

// The test vectors of paypro-api.md §2.5, for both places of the secret.
func TestDigest(t *testing.T) {
	for _, c := range []struct{ name, body, suffix, prefix string }{
		{"query", `{"tradeNo":"test_00000002","timestamp":"1728613320708","sign":"x"}`,
			"2df409c6688a9d4ed5e68244da59eefa", "c1d0d9cb6e8ddfcb7002931de26f3197"},
		{"number", `{"timestamp":1724151084278}`,
			"51211b618b9b28c8bd99de01136e7cd3", "6cdce282b6906afc3bf8577b3fe21eaa"},
		{"payout, empty value skipped", `{"walletId":"01123456789","timestamp":"1728611780130","tradeNo":"test_00000001","customerName":"kevin","amount":300,"notifyUrl":"https://google.com","remark":"test","email":""}`,
			"5fc24a4280fa5f5393c1da55ea8e814c", "ae08fa929e83dcbc7b83ab4ec0924e47"},
		{"callback", `{"amount":"30000","message":"SUCCESS","platFormTradeNo":"5286e98841194687a95d25b5f3be346d","status":"0000","successTime":"2024-07-01 18:34:31","timestamp":"1724740395968","tradeNo":"00000020"}`,
			"a188317acc000305875c456bc1fd6b5a", "96518e4c6174b0c797fc62c552308726"},
		{"utf-8", `{"accountName":"José Núñez","amount":50000,"timestamp":1700000000000,"tradeNo":"t-1"}`,
			"bec16b392d8b90e5d32a0f08f0a17a72", "97eddb1c1075ee25d8e02bef6f63d123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problem := parse([]byte(c.body))
			if problem != "" {
				t.Fatal(problem)
			}
			if got := p.digest(testSecret, "suffix"); got != c.suffix {
				t.Errorf("suffix: got %s, want %s", got, c.suffix)
			}
			if got := p.digest(testSecret, "prefix"); got != c.prefix {
				t.Errorf("prefix: got %s, want %s", got, c.prefix)
			}
		})
	}
}

func TestDigestTakesLiteralText(t *testing.T) {
	digest := func(body string) string {
		p, _ := parse([]byte(body))
		return p.digest("s", "suffix")
	}
	if digest(`{"amount":100.00}`) != digest(`{"amount":"100.00"}`) || digest(`{"amount":100.00}`) == digest(`{"amount":100}`) {
		t.Error("a number must be signed by its literal text")
	}
	if digest(`{"a":null}`) != digest(`{"a":"null"}`) {
		t.Error("a null is signed as the word, as String.valueOf has it")
	}
	if sum := md5.Sum([]byte("B=1a=2s")); digest(`{"a":"2","B":"1"}`) != hex.EncodeToString(sum[:]) {
		t.Error("capitals go before lower case")
	}
}

func TestSignPlaces(t *testing.T) {
	p := params{"timestamp": testStamp, "tradeNo": "t"}
	good, bad := p.digest(testSecret, "suffix"), "0123"
	for _, c := range []struct {
		country, signIn, body, header string
		ok                            bool
	}{
		{"egypt", "", good, "", true},
		{"egypt", "", "", good, false},
		{"egypt", "", bad, "", false},
		{"egypt", "", "", "", false},
		{"egypt", inHeader, "", good, true},
		{"brazil", "", "", good, true},
		{"brazil", "", good, "", false},
		{"brazil", "", "", bad, false},
		{"brazil", inBody, good, "", true},
		{"brazil", inBoth, good, good, true},
		{"brazil", inBoth, good, "", true},
		{"brazil", inBoth, "", good, true},
		{"brazil", inBoth, "", "", false},
		{"brazil", inBoth, good, bad, false},
		{"brazil", inBoth, bad, good, false},
	} {
		s := New(Config{Merchants: []Merchant{{Country: c.country, MerchantNo: testNo, Secret: testSecret, SignIn: c.signIn}}})
		body := params{"timestamp": testStamp, "tradeNo": "t"}
		if c.body != "" {
			body["sign"] = c.body
		}
		headers := merchantHeader(testNo)
		if c.header != "" {
			headers["sign"] = c.header
		}
		text, _ := json.Marshal(body)
		want := "sign error"
		if c.ok {
			want = "order does not exist"
		}
		if r := post(s, commonQuery, headers, string(text)); r.Code != "8000" || r.Msg != want {
			t.Errorf("%+v: got %s", c, r.body)
		}
	}
}
