package payout

import (
	"maps"
	"strings"
	"testing"
)

func TestAMaskedPayeeIsRecognisedAndNotTold(t *testing.T) {
	for name, c := range map[string]struct{ field, value, want string }{
		"a wallet":                    {"walletId", "01123456789", "***6789"},
		"a phone with its country":    {"customerPhone", "+201123456789", "***6789"},
		"an IBAN":                     {"iban", "EG380019000500000000263180002", "***0002"},
		"a short number":              {"bankCode", "1234567", "***"},
		"letters":                     {"pixKey", "kevinsmith", "***"},
		"mail":                        {"email", "kevin12345678@example.com", "***"},
		"a name":                      {"customerName", "kevin de la Cruz", "K.D.L.C."},
		"a name in another script":    {"customerName", "محمد علي", "م.ع."},
		"a name of one letter":        {"customerName", "X", "***"},
		"a number where a name is":    {"accountName", "01123456789", "***"},
		"digits that are no ASCII":    {"walletId", "٠١١٢٣٤٥٦٧٨٩", "***"},
		"a number with a name in it":  {"document", "1234567 kevin", "***"},
		"fewer digits than letters":   {"document", "ABCDEFGH12", "***"},
		"a name that begins by signs": {"customerName", "'Abd al", "***A."},
	} {
		got := NewPayee(map[string]string{c.field: c.value}).Masked()
		if !maps.Equal(got, map[string]string{c.field: c.want}) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
		if strings.Contains(got[c.field], c.value) {
			t.Errorf("%s is in clear", name)
		}
	}
	if got := (Payee{}).Masked(); len(got) != 0 {
		t.Error(got)
	}
}
