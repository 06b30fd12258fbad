package paypro

import (
	"testing"

	"disburser/payout/secrets"
)

// The test vectors of docs/paypro-api.md §2.5, for both places of the secret.
func TestSign(t *testing.T) {
	for _, test := range []struct {
		name           string
		params         map[string]string
		text           string
		suffix, prefix string
	}{
		{
			"query", map[string]string{"tradeNo": "test_00000002", "timestamp": "1728613320708"},
			"timestamp=1728613320708tradeNo=test_00000002",
			"2df409c6688a9d4ed5e68244da59eefa", "c1d0d9cb6e8ddfcb7002931de26f3197",
		},
		{
			"balance", map[string]string{"timestamp": "1724151084278"}, "timestamp=1724151084278",
			"51211b618b9b28c8bd99de01136e7cd3", "6cdce282b6906afc3bf8577b3fe21eaa",
		},
		{
			"payout; sign itself and empty values are left out",
			map[string]string{
				"timestamp": "1728611780130", "tradeNo": "test_00000001", "walletId": "01123456789", "customerName": "kevin",
				"amount": "300", "notifyUrl": "https://google.com", "remark": "test", "sign": "x", "email": "",
			},
			"amount=300customerName=kevinnotifyUrl=https://google.comremark=testtimestamp=1728611780130tradeNo=test_00000001walletId=01123456789",
			"5fc24a4280fa5f5393c1da55ea8e814c", "ae08fa929e83dcbc7b83ab4ec0924e47",
		},
		{
			"callback", map[string]string{
				"amount": "30000", "message": "SUCCESS", "platFormTradeNo": "5286e98841194687a95d25b5f3be346d", "status": "0000",
				"successTime": "2024-07-01 18:34:31", "timestamp": "1724740395968", "tradeNo": "00000020",
			},
			"amount=30000message=SUCCESSplatFormTradeNo=5286e98841194687a95d25b5f3be346dstatus=0000successTime=2024-07-01 18:34:31timestamp=1724740395968tradeNo=00000020",
			"a188317acc000305875c456bc1fd6b5a", "96518e4c6174b0c797fc62c552308726",
		},
		{
			"UTF-8", map[string]string{"accountName": "José Núñez", "amount": "50000", "timestamp": "1700000000000", "tradeNo": "t-1"},
			"accountName=José Núñezamount=50000timestamp=1700000000000tradeNo=t-1",
			"bec16b392d8b90e5d32a0f08f0a17a72", "97eddb1c1075ee25d8e02bef6f63d123",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendCanonical(nil, paramsOf(test.params))); got != test.text {
				t.Errorf("signed text\n got %s\nwant %s", got, test.text)
			}
			secret := secrets.New(testSecret)
			if got := (signer{secret, false}).sign(paramsOf(test.params)); got != test.suffix {
				t.Errorf("suffix: got %s, want %s", got, test.suffix)
			}
			if got := (signer{secret, true}).sign(paramsOf(test.params)); got != test.prefix {
				t.Errorf("prefix: got %s, want %s", got, test.prefix)
			}
		})
	}
}

// Keys are sorted as whole texts: capitals first, and a key before its extension.
func TestSignOrder(t *testing.T) {
	params := map[string]string{"bankNumber": "4", "bank": "3", "Zone": "1", "amount": "2", "bankName": "5"}
	got := string(appendCanonical(nil, paramsOf(params)))
	if want := "Zone=1amount=2bank=3bankName=5bankNumber=4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
