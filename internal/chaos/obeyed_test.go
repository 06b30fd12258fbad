package chaos

import (
	"strings"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// Each row is one lie, and the verdict must notice it.
func TestWhatPeopleSaidIsJudged(t *testing.T) {
	paid := paysim.Entry{Placements: 1, LastAt: at(1), Outcome: "paid", Executions: []paysim.Execution{{PaidAmount: "300"}}}
	unknown, pending := paid, paid
	unknown.Outcome, pending.Outcome = "unknown", ""
	denied := paysim.Entry{Placements: 1, LastAt: at(1)}
	resolve := acts.Action{ID: "a", Kind: acts.Resolve, Scope: acts.Scope{Kind: acts.Payout, Name: "t"}, As: acts.Failed, By: "p"}
	asPaid, forced := resolve, resolve
	asPaid.As, forced.Force = acts.Paid, true
	forcedPaid := forced
	forcedPaid.As = acts.Paid
	failedBy := message.Event{Type: message.EventFailed, By: "p", ConfirmedBy: "q", SettledAt: at(100).Format(time.RFC3339Nano)}
	paidBy, byProvider, byOther := failedBy, failedBy, failedBy
	paidBy.Type = message.EventPaid
	byProvider.By, byProvider.ConfirmedBy, byOther.By = "", "", "somebody"
	alone := failedBy
	alone.ConfirmedBy = ""
	outcome := func(r acts.Result, heard string) acts.Ended {
		return acts.Ended{Of: "a", TradeNo: "t", Result: r, Evidence: &acts.Evidence{Finding: heard}}
	}
	lost := acts.Ended{Of: "a", TradeNo: "t", Result: acts.Expired, Uncertain: true}
	already := outcome(acts.Done, "")
	already.Detail = "it had ended as failed already"
	late := denied
	late.LastAt = at(101)

	for _, c := range []struct {
		name   string
		action acts.Action
		ended  []acts.Ended
		final  message.Event
		entry  paysim.Entry
		want   string // "" for nothing
	}{
		{"failed, and denied", resolve, []acts.Ended{outcome(acts.Done, "no_record")}, failedBy, denied, ""},
		{"the provider's own word", asPaid, []acts.Ended{outcome(acts.Done, "paid")}, message.Event{Type: message.EventPaid}, paid, ""},
		{"refused, and by the provider", resolve, []acts.Ended{outcome(acts.Refused, "paid")}, byProvider, denied, ""},
		{"lost, and it happened", resolve, []acts.Ended{lost}, failedBy, denied, ""},
		{"unknown, by force", forcedPaid, []acts.Ended{outcome(acts.Done, "unknown_status")}, paidBy, unknown, ""},
		{"the second one that says so", resolve, []acts.Ended{already}, byOther, denied, ""},
		{"no outcome", resolve, nil, message.Event{}, denied, "0 outcomes"},
		{"two outcomes", resolve, []acts.Ended{outcome(acts.Done, "no_record"), outcome(acts.Refused, "")}, failedBy, denied, "the outcomes done and refused under one id"},
		{"done, and nothing happened", resolve, []acts.Ended{outcome(acts.Done, "no_record")}, message.Event{}, denied, `the result is ""`},
		{"done, and it is the other", resolve, []acts.Ended{outcome(acts.Done, "paid")}, message.Event{Type: message.EventPaid}, paid, `the result is "payout.paid"`},
		{"done by somebody else", resolve, []acts.Ended{outcome(acts.Done, "no_record")}, byOther, denied, "it ended by somebody"},
		{"refused, and it happened", resolve, []acts.Ended{outcome(acts.Refused, "")}, failedBy, denied, "said to be refused"},
		{"expired for certain, and it happened", resolve, []acts.Ended{outcome(acts.Expired, "")}, failedBy, denied, "said to be expired"},
		{"forced by one person", forced, []acts.Ended{outcome(acts.Done, "no_record")}, alone, denied, "without a second person"},
		{"failed, but paid", resolve, []acts.Ended{outcome(acts.Done, "no_record")}, failedBy, paid, "against the provider's word: paid"},
		{"failed by force, but paid", forced, []acts.Ended{outcome(acts.Done, "paid")}, failedBy, paid, "against the provider's word: paid"},
		{"failed by force, but on its way", forced, []acts.Ended{outcome(acts.Done, "processing")}, failedBy, pending, "against the provider's word: processing"},
		{"failed, and nobody knows", resolve, []acts.Ended{outcome(acts.Done, "unknown_status")}, failedBy, unknown, "against the provider's word: unknown"},
		{"paid by force, but denied", forcedPaid, []acts.Ended{outcome(acts.Done, "no_record")}, paidBy, denied, "against the provider's word: no record"},
		{"sent after its end", resolve, []acts.Ended{outcome(acts.Done, "no_record")}, failedBy, late, "after p had ended it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := obedience{shards: 1, actions: []acts.Action{c.action}, finals: map[string]message.Event{}, ledger: map[string]paysim.Entry{"t": c.entry}}
			if c.final.Type != "" {
				o.finals["t"] = c.final
			}
			for i := range c.ended {
				o.actions = append(o.actions, acts.Action{Kind: acts.Outcome, Of: "a", Ended: &c.ended[i]})
			}
			_, problems := o.judge()
			if got := strings.Join(problems, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestACancelledBatchIsJudged(t *testing.T) {
	cancel := acts.Action{ID: "a", Kind: acts.Cancel, Scope: acts.Scope{Kind: acts.Batch, Name: "b"}, By: "p"}
	sent := paysim.Entry{Placements: 1, LastAt: at(10)}
	late := paysim.Entry{Placements: 1, LastAt: at(12)}
	rejected, failed := message.Event{Type: message.EventRejected, By: "p"}, message.Event{Type: message.EventFailed}
	for _, c := range []struct {
		name   string
		finals map[string]message.Event
		ledger map[string]paysim.Entry
		count  int
		want   string
	}{
		{"one of each", map[string]message.Event{"t1": rejected, "t2": failed}, map[string]paysim.Entry{"t2": sent}, 1, ""},
		{"rejected, but sent", map[string]message.Event{"t1": rejected, "t2": rejected}, map[string]paysim.Entry{"t2": sent}, 1, "the provider has seen it"},
		{"sent too late", map[string]message.Event{"t1": rejected, "t2": failed}, map[string]paysim.Entry{"t2": late}, 1, "after its batch was cancelled"},
		{"no end", map[string]message.Event{"t1": rejected}, map[string]paysim.Entry{"t2": sent}, 1, "without an end"},
		{"more than there are", map[string]message.Event{"t1": rejected, "t2": failed}, map[string]paysim.Entry{"t2": sent}, 2, "the outcome says 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := obedience{
				shards: 1, finals: c.finals, ledger: c.ledger, batches: map[string][]string{"b": {"t1", "t2"}}, acked: map[string]time.Time{"a": at(10)},
				actions: []acts.Action{cancel, {Kind: acts.Outcome, Of: "a", Ended: &acts.Ended{Of: "a", Result: acts.Done, Counts: map[string]int{"cancelled": c.count}}}},
			}
			_, problems := o.judge()
			if got := strings.Join(problems, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestARefusalOfACancelThatStandsIsNoOutcome(t *testing.T) {
	refused, done := acts.Ended{Of: "a", Result: acts.Refused}, acts.Ended{Of: "a", Result: acts.Done}
	all := []acts.Action{{Kind: acts.Stands, Of: "a"}, {Kind: acts.Outcome, Of: "a", Ended: &refused}, {Kind: acts.Outcome, Of: "a", Ended: &done}}
	if e := endings(all)["a"]; len(e) != 1 || e[0].Result != acts.Done {
		t.Errorf("%+v", e)
	}
	if e := endings(all[1:])["a"]; len(e) != 2 {
		t.Errorf("before it stands, a refusal is an outcome: %+v", e)
	}
}

func TestAnOutcomeThatStandsTwiceIsOne(t *testing.T) {
	done, refused := acts.Ended{Of: "a", TradeNo: "t1", Result: acts.Done}, acts.Ended{Of: "a", TradeNo: "t1", Result: acts.Refused}
	for _, c := range []struct {
		outcomes []acts.Ended
		want     bool
	}{
		{nil, false}, {[]acts.Ended{done}, true}, {[]acts.Ended{done, done}, true}, {[]acts.Ended{done, refused}, false},
		{[]acts.Ended{done, {Of: "a", TradeNo: "t2", Result: acts.Done}}, false},
	} {
		if got := sayOne(c.outcomes); got != c.want {
			t.Errorf("%+v: %v", c.outcomes, got)
		}
	}
}
