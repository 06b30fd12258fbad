package files

import (
	"slices"
	"strings"
	"testing"
)

func TestTradeNosOfAFile(t *testing.T) {
	for text, want := range map[string]string{
		"tradeNo,amount\nT1,1\nT2,\n":      "T1 T2",
		"amount;tradeNo\r\n\"1;2\";T1\r\n": "T1",
		`{"tradeNo":"T1"}` + "\n\n" + `{"payouts":[{"tradeNo":"T2"},{"tradeNo":"T3"}]}`: "T1 T2 T3",
	} {
		if all, err := TradeNos(strings.NewReader(text)); err != nil || !slices.Equal(all, strings.Fields(want)) {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
	for text, want := range map[string]string{
		"amount\n1\n":            "no column tradeNo",
		"tradeNo,amount\n x,1\n": "line 2 has no valid tradeNo",
		"tradeNo,amount\nT1\n\"": "line 3",
		`{"amount":"1"}`:         "line 1",
		"":                       "EOF",
	} {
		if all, err := TradeNos(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
}
