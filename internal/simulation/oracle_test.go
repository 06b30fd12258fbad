package simulation

import (
	"strings"
	"testing"
	"time"

	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
)

// An oracle that sees nothing would find nothing: what must not be is a violation.

func testOracle(then string, faults ...Fault) *oracle {
	return &oracle{
		evidence: newEvidence(), hearing: &hearing{}, plan: Plan{Then: then, Shards: 1, DedupWindow: time.Hour, Faults: faults},
		expected: trial.Expected{
			TradeNos: map[string]string{"a": "eg-main"}, Commands: map[string]payout.Command{"a": {TradeNo: "a"}}, Codes: map[message.Code]int{},
		},
	}
}

func (o *oracle) found(promise string) bool {
	for _, v := range o.violations {
		if v.Promise == promise {
			return true
		}
	}
	return false
}

func TestADecisionThatNobodyHeardOfIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		heard []acknowledged
		fine  bool
	}{
		"heard of before":             {[]acknowledged{{"i0.1", 1, 6, 8, epoch.Add(time.Second)}}, true},
		"never heard of":              {nil, false},
		"heard of too late":           {[]acknowledged{{"i0.1", 1, 6, 8, epoch.Add(3 * time.Second)}}, false},
		"another one heard of it":     {[]acknowledged{{"i1.1", 1, 6, 8, epoch.Add(time.Second)}}, false},
		"another record was heard of": {[]acknowledged{{"i0.1", 1, 8, 8, epoch.Add(time.Second)}, {"i0.1", 0, 6, 8, epoch.Add(time.Second)}}, false},
	} {
		o := testOracle("hold")
		o.hearing.heard = c.heard
		d := decision{partition: 1, offset: 7, at: epoch.Add(time.Second / 2), valid: true}
		d.Kind, d.Instance, d.TradeNos = message.KindSend, "i0.1", []string{"a"}
		o.decisions = append(o.decisions, d)
		o.calls = []call{{at: epoch.Add(2 * time.Second), instance: "i0.1", placement: true, tradeNo: "a"}}
		if o.sends(); o.found(decided) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

func TestAHoldNeedsAReason(t *testing.T) {
	const absent = "it may have been sent, but the provider said 3 times that it has no record of it"
	const passed = "expiresAt passed after a send that may have happened"
	wipe := Fault{Kind: Wipe, At: 20 * time.Second}
	sent := func(at time.Duration) []decision {
		d := decision{at: epoch.Add(at)}
		d.Kind, d.TradeNos = message.KindSend, []string{"a"}
		return []decision{d}
	}
	for name, c := range map[string]struct {
		then      string
		faults    []Fault
		decisions []decision
		reason    string
		age       time.Duration
		sends     int
		expires   bool
		fine      bool
	}{
		"absent, and resend says to send it again": {then: "resend", reason: absent, decisions: sent(time.Second)},
		"absent, too old to be sent again":         {then: "resend", reason: absent, age: giveUp, decisions: sent(time.Second), fine: true},
		"absent, nothing went wrong":               {then: "hold", reason: absent, decisions: sent(time.Second)},
		"absent, it was under way at the wipe":     {then: "hold", faults: []Fault{wipe}, reason: absent, decisions: sent(19 * time.Second), fine: true},
		"absent, it was sent long after the wipe":  {then: "hold", faults: []Fault{wipe}, reason: absent, decisions: sent(28 * time.Second)},
		"absent, other things went wrong":          {then: "hold", faults: []Fault{wipe, {Kind: Kill}}, reason: absent, decisions: sent(28 * time.Second), fine: true},
		"old, though it isn't":                     {then: "hold", reason: "no outcome within 1m0s since it was first sent", age: giveUp / 2},
		"expired, though it can't":                 {then: "hold", reason: passed, decisions: sent(time.Second)},
		"expired after its decision":               {then: "resend", reason: passed, decisions: sent(time.Second), expires: true, fine: true},
		"expired, its lease's owner was killed":    {then: "resend", faults: []Fault{{Kind: Kill, At: 19 * time.Second, For: 4 * time.Second}}, reason: passed, age: 10 * time.Second, sends: 1, expires: true, fine: true},
		"expired, killed long before the lease":    {then: "resend", faults: []Fault{{Kind: Kill, At: time.Second, For: 4 * time.Second}}, reason: passed, age: 10 * time.Second, sends: 1, expires: true},
		"expired, killed long after the lease":     {then: "resend", faults: []Fault{{Kind: Kill, At: 29 * time.Second, For: 4 * time.Second}}, reason: passed, age: 10 * time.Second, sends: 1, expires: true},
		"expired, given back in a split":           {then: "resend", faults: []Fault{{Kind: Split, At: 19 * time.Second, For: 4 * time.Second}}, reason: passed, age: 10 * time.Second, expires: true, fine: true},
		"expired, given back for nothing":          {then: "resend", faults: []Fault{{Kind: Split, At: 9 * time.Second, For: 4 * time.Second}}, reason: passed, age: 10 * time.Second, expires: true},
		"forgotten, though nothing is":             {then: "hold", reason: "its command is older than the memory reaches"},
		"shown, though it never came there":        {then: "resend", reason: "the provider has shown it and then said 3 times that it has no record of it"},
		"for a reason that nobody has thought of":  {then: "hold", reason: "just so"},
	} {
		o := testOracle(c.then, c.faults...)
		o.decisions = c.decisions
		at := epoch.Add(30 * time.Second)
		if c.expires {
			o.expected.Commands["a"] = payout.Command{TradeNo: "a", ExpiresAt: at}
		}
		e := message.Event{Type: message.EventHeld, TradeNo: "a", Reason: c.reason, Sends: c.sends, SentAt: at.Add(-c.age).Format(time.RFC3339), ReceivedAt: at.Add(-c.age).Format(time.RFC3339)}
		o.results["a"] = []result{{"id", e, at}}
		if o.holds("a"); o.found(reasoned) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// What an instance hears is read off its connections, in whatever pieces it comes.
func TestTheEarTakesMessagesInPieces(t *testing.T) {
	var have []byte
	var got []string
	for _, piece := range []string{"\x00\x00", "\x00\x03ab", "c\x00\x00\x00\x01d\x00\x00\x00", "\x02ef"} {
		for _, m := range whole(&have, []byte(piece)) {
			got = append(got, string(m))
		}
	}
	if strings.Join(got, " ") != "abc d ef" || len(have) != 0 {
		t.Errorf("%q, %q left", got, have)
	}
}

func TestWhatIsPausedIsNotSent(t *testing.T) {
	pause := func(scope string) silenced {
		of, err := acts.ParseScope(scope)
		if err != nil {
			t.Fatal(err)
		}
		return silenced{scope: of, from: epoch.Add(10 * time.Second), to: epoch.Add(20 * time.Second)}
	}
	for name, c := range map[string]struct {
		scope string
		at    time.Duration
		fine  bool
	}{
		"in the middle of it":               {"fleet", 15 * time.Second, false},
		"right after it holds":              {"fleet", 10*time.Second + staleness + way + 1, false},
		"before it must hold":               {"fleet", 10*time.Second + staleness, true},
		"once it is being lifted":           {"fleet", 20 * time.Second, true},
		"its merchant":                      {"merchant:eg-main", 15 * time.Second, false},
		"another merchant":                  {"merchant:br-main", 15 * time.Second, true},
		"its batch":                         {"batch:b1", 15 * time.Second, false},
		"a batch that is named as it is":    {"batch:a", 15 * time.Second, true},
		"itself":                            {"payout:a", 15 * time.Second, false},
		"a payout that is named as a batch": {"payout:b1", 15 * time.Second, true},
	} {
		o := testOracle("hold")
		o.expected.Commands["a"] = payout.Command{TradeNo: "a", BatchID: "b1"}
		o.silenced = []silenced{pause(c.scope)}
		o.calls = []call{{at: epoch.Add(c.at), instance: "i0.1", placement: true, tradeNo: "a"}, {at: epoch.Add(15 * time.Second), instance: "i0.1", tradeNo: "a"}}
		if o.silence(); o.found(silent) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}
