package trial

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/paypro/paysim"
)

const one = `{"tradeNo": "t-1", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`

func TestExpectReadsCommandsAsTheContractDoes(t *testing.T) {
	e := Expect([]string{
		one,
		strings.Replace(one, `"300"`, `300.00`, 1),                                    // other words
		strings.Replace(one, `"amount"`, `"currency": "EGP", "amount"`, 1),            // the merchant's currency is the default
		strings.Replace(one, `"300"`, `"301"`, 1),                                     // a conflict
		`{"merchant": "eg-main", "payouts": [{"tradeNo": "t-2"}, {"amount": "300"}]}`, // an invalid and a malformed one
		"{",
		`{"payouts": "` + strings.Repeat("x", message.MaxValueBytes) + `"}`,
	})
	if len(e.TradeNos) != 2 || e.Duplicates != 2 || e.Letters != 4 {
		t.Errorf("%d payouts, %d duplicates, %d dead letters, want 2, 2 and 4", len(e.TradeNos), e.Duplicates, e.Letters)
	}
	if e.Codes[message.Malformed] != 2 || e.Codes[message.Conflict] != 1 || e.Codes[message.TooLarge] != 1 {
		t.Errorf("by code %v", e.Codes)
	}
}

func TestLinesAboutOneTradeNoShareAKey(t *testing.T) {
	k := keys([]string{
		`{"tradeNo": "a"}`, `{"tradeNo": "b"}`, `{"payouts": [{"tradeNo": "c"}, {"tradeNo": "b"}, {"tradeNo": "a"}]}`,
		`{"tradeNo": "d"}`, `{"tradeNo": "c"}`, `{"batchId": "e", "payouts": []}`, `?`,
	})
	if k[0] != k[1] || k[0] != k[2] || k[0] != k[4] || k[3] != "d" || k[5] != "e" || k[6] != "" {
		t.Errorf("%q", k)
	}
}

func TestThePayrollIsTheSameForTheSameSeed(t *testing.T) {
	a, b := Payroll("p", 5, 300), Payroll("p", 5, 300)
	if !slices.Equal(a, b) || slices.Equal(a, Payroll("p", 6, 300)) {
		t.Error("the seed must choose the lines, and nothing else")
	}
	e := Expect(a)
	if len(e.TradeNos) < 300 || e.Duplicates == 0 || e.Codes[message.Conflict] == 0 || e.Codes[message.Malformed] == 0 {
		t.Errorf("%d payouts, %d duplicates, %v", len(e.TradeNos), e.Duplicates, e.Codes)
	}
}

// A verdict that finds nothing is worth what it would have found: each kind of mistake.
func TestTheVerdict(t *testing.T) {
	paid := message.Event{TradeNo: "t-1", Merchant: "eg-main", Type: message.EventPaid, Amount: "300", PaidAmount: "300"}
	failed, held, partial, less := paid, paid, paid, paid
	failed.Type, held.Type, partial.Type, less.PaidAmount = message.EventFailed, message.EventHeld, message.EventPartial, "299"
	stranger := paid
	stranger.TradeNo = "t-9"
	execution := paysim.Execution{Status: "0000", PaidAmount: "300"}
	good := paysim.Entry{MerchantNo: "1", TradeNo: "t-1", Placements: 1, Outcome: "paid", Executions: []paysim.Execution{execution}}
	twice, changed := good, good
	twice.Executions, changed.Changed = []paysim.Execution{execution, execution}, 1
	unpaid := paysim.Entry{MerchantNo: "1", TradeNo: "t-1", Placements: 1, Outcome: "failed"}

	for _, c := range []struct {
		name   string
		events []message.Event
		entry  paysim.Entry
		codes  []string // of dead letters; one conflict is due
		want   string   // of the problems, "" for none
	}{
		{"all is well", []message.Event{paid}, good, []string{"conflict"}, ""},
		{"a repeat", []message.Event{paid, paid}, good, []string{"conflict"}, ""},
		{"held, then final", []message.Event{held, paid}, good, []string{"conflict"}, ""},
		{"held only", []message.Event{held}, good, []string{"conflict"}, "held, no final result"},
		{"two outcomes", []message.Event{paid, failed}, good, []string{"conflict"}, "2 different final results"},
		{"paid twice", []message.Event{paid}, twice, []string{"conflict"}, "PAID 2 TIMES"},
		{"failed, but paid", []message.Event{failed}, good, []string{"conflict"}, "the provider paid 1 times"},
		{"paid, but failed", []message.Event{paid}, unpaid, []string{"conflict"}, "the provider paid 0 times"},
		{"partial, but all", []message.Event{partial}, good, []string{"conflict"}, `the provider's outcome is "paid"`},
		{"another sum", []message.Event{less}, good, []string{"conflict"}, `the result says that "299" was paid`},
		{"sent in other words", []message.Event{paid}, changed, []string{"conflict"}, "sent again with other content"},
		{"nobody ordered it", []message.Event{paid, stranger}, good, []string{"conflict"}, "nobody ordered it"},
		{"no dead letter", []message.Event{paid}, good, nil, "0 dead letters conflict, 1 are due"},
		{"one too many", []message.Event{paid}, good, []string{"conflict", "conflict"}, "2 dead letters conflict, 1 are due"},
		{"of another kind", []message.Event{paid}, good, []string{"malformed"}, "1 dead letters malformed, 0 are due"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWatcher(nil, DefaultTopics)
			for _, e := range c.events {
				w.result(resultOf(t, e))
			}
			for i, code := range c.codes {
				w.letter(letterOf(code, i))
			}
			r := w.Judge(Expect([]string{one, strings.Replace(one, "300", "301", 1)}), paysim.Ledger{Entries: []paysim.Entry{c.entry}}, map[string]string{"eg-main": "1"})
			problems := strings.Join(r.Problems, "\n")
			if r.Good() != (c.want == "") || !strings.Contains(problems, c.want) {
				t.Errorf("problems %q, want %q", problems, c.want)
			}
		})
	}
}

func TestNothingAnnouncedIsOpen(t *testing.T) {
	r := NewWatcher(nil, DefaultTopics).Judge(Expect([]string{one}), paysim.Ledger{}, nil)
	if r.Good() || !slices.Equal(r.Open, []string{"t-1"}) {
		t.Errorf("good %v, open %q", r.Good(), r.Open)
	}
}

func TestADeadLetterThatCameAgainCountsOnce(t *testing.T) {
	w := NewWatcher(nil, DefaultTopics)
	for _, offset := range []int{1, 1, 2} {
		w.letter(letterOf("malformed", offset))
	}
	if _, letters := w.Progress(); letters != 2 || w.repeats != 1 {
		t.Errorf("%d letters and %d repeats, want 2 and 1", letters, w.repeats)
	}
}

func resultOf(t *testing.T, e message.Event) partition.Record {
	t.Helper()
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return partition.Record{Value: value, Headers: []kafka.Header{{Key: "ce_id", Value: []byte(string(e.Type) + e.TradeNo)}}}
}

func letterOf(code string, offset int) partition.Record {
	m := message.EncodeDeadLetter(message.DeadLetter{
		Headers: []message.Header{{Key: "error_code", Value: []byte("the command's own")}}, Code: message.Code(code), Source: payout.Source{Offset: int64(offset)},
	})
	return partition.Record{Headers: message.HeadersAs[kafka.Header](m.Headers)}
}
