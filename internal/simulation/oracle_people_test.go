package simulation

import (
	"strings"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout/acts"
)

// said has a person say something 10 s after the beginning. Unless it needs two people it counts at once.
func (o *oracle) said(a acts.Action) *saying {
	at := epoch.Add(10 * time.Second)
	a.By = "alice-" + a.ID
	s := saying{Action: a, needs: max(1, a.Needs), obeyed: true, began: at, acknowledged: at, complete: at, completed: at}
	if s.needs > 1 {
		s.confirmedBy, s.complete, s.completed = "bob-"+a.ID, at.Add(time.Second), at.Add(time.Second)
	}
	o.sayings = append(o.sayings, s)
	return &o.sayings[len(o.sayings)-1]
}

// isDecided puts an end by a person into the log, and into the results.
func (o *oracle) isDecided(action, state, finding string, at time.Duration) {
	d := decision{at: epoch.Add(at), valid: true}
	d.Kind, d.TradeNos, d.States, d.Actions = message.KindResolved, []string{"a"}, []string{state}, []string{action}
	d.Evidence = []acts.Evidence{{Finding: finding, At: epoch.Add(at)}}
	if finding == "" {
		d.Kind, d.Evidence = message.KindFinal, nil
	}
	o.decisions = append(o.decisions, d)
}

func (o *oracle) announced(kind message.EventType, by, confirmedBy string) {
	e := message.Event{Type: kind, TradeNo: "a", By: by, ConfirmedBy: confirmedBy}
	o.results["a"] = append(o.results["a"], result{"id", e, epoch.Add(20 * time.Second)})
}

var itself = acts.Scope{Kind: acts.Payout, Name: "a"}

func TestWhatAPersonEndedAPersonHasEnded(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *oracle, s *saying)
		kind   message.EventType
		fine   bool
	}{
		"resolved, and confirmed":   {func(*oracle, *saying) {}, message.EventFailed, true},
		"nobody has said so":        {func(_ *oracle, s *saying) { s.By = "somebody else" }, message.EventFailed, false},
		"of another payout":         {func(_ *oracle, s *saying) { s.Scope.Name = "b" }, message.EventFailed, false},
		"as something else":         {func(*oracle, *saying) {}, message.EventPaid, false},
		"by a resolve, as rejected": {func(*oracle, *saying) {}, message.EventRejected, false},
		"confirmed by somebody else": {func(_ *oracle, s *saying) {
			s.confirmedBy = "carol"
		}, message.EventFailed, false},
		"never confirmed":                {func(_ *oracle, s *saying) { s.complete = time.Time{} }, message.EventFailed, false},
		"confirmed later":                {func(_ *oracle, s *saying) { s.complete = epoch.Add(time.Minute) }, message.EventFailed, false},
		"unsigned":                       {func(_ *oracle, s *saying) { s.obeyed = false }, message.EventFailed, false},
		"it was a pause":                 {func(_ *oracle, s *saying) { s.Kind = acts.Pause }, message.EventFailed, false},
		"announced before it is decided": {func(o *oracle, _ *saying) { o.decisions[0].at = epoch.Add(21 * time.Second) }, message.EventFailed, false},
		"decided for another action":     {func(o *oracle, _ *saying) { o.decisions[0].Actions[0] = "y" }, message.EventFailed, false},
		"by a void decision": {func(o *oracle, _ *saying) {
			o.decisions[0].valid = false
		}, message.EventFailed, false},
	} {
		o := testOracle("hold")
		s := o.said(acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: acts.Failed, Needs: 2})
		o.isDecided("x", "failed", noRecord, 19*time.Second)
		o.announced(c.kind, "alice-x", "bob-x")
		c.change(o, s)
		if o.person("a"); o.found(theirs) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

func TestAPersonEndsAPayoutOnceAndForEver(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *oracle)
		fine   bool
	}{
		"once":                           {func(*oracle) {}, true},
		"decided twice, the same":        {func(o *oracle) { o.isDecided("x", "failed", noAnswer, 15*time.Second) }, true},
		"decided twice, in two ways":     {func(o *oracle) { o.isDecided("x", "paid", noAnswer, 15*time.Second) }, false},
		"by two people":                  {func(o *oracle) { o.isDecided("y", "failed", noAnswer, 15*time.Second) }, false},
		"by an action that nobody knows": {func(o *oracle) { o.sayings = nil }, false},
		"before it is said":              {func(o *oracle) { o.decisions[0].at = epoch.Add(9 * time.Second) }, false},
		"announced as something else":    {func(o *oracle) { o.results["a"][0].event.Type = message.EventPaid }, false},
		"never announced":                {func(o *oracle) { o.results["a"] = nil }, false},
		"sent before": {func(o *oracle) {
			o.calls = append(o.calls, call{at: epoch.Add(13 * time.Second), placement: true, tradeNo: "a"})
		}, true},
		"sent afterwards": {func(o *oracle) {
			o.calls = append(o.calls, call{at: epoch.Add(15 * time.Second), placement: true, tradeNo: "a"})
		}, false},
		"asked afterwards": {func(o *oracle) { o.calls = append(o.calls, call{at: epoch.Add(15 * time.Second), tradeNo: "a"}) }, true},
	} {
		o := testOracle("hold")
		o.said(acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: acts.Failed, Force: true, Needs: 1})
		o.said(acts.Action{ID: "y", Kind: acts.Resolve, Scope: itself, As: acts.Failed, Force: true, Needs: 1})
		o.isDecided("x", "failed", noAnswer, 14*time.Second)
		o.announced(message.EventFailed, "alice-x", "")
		c.change(o)
		if o.actions(); o.found(theirs) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// What was recorded before an epoch began isn't carried out in it. What was decided before may be decided again.
func TestAnActionStaysInItsEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		began  time.Duration // the epoch in which it was decided; it counts since 10 s
		scope  acts.Scope
		before bool // another epoch had decided it
		fine   bool
	}{
		"in its own":          {5 * time.Second, itself, false, true},
		"in a later one":      {12 * time.Second, itself, false, false},
		"once more":           {12 * time.Second, itself, true, true},
		"a cancelled batch's": {12 * time.Second, acts.Scope{Kind: acts.Batch, Name: "b"}, false, true},
	} {
		o := testOracle("hold")
		s := o.said(acts.Action{ID: "x", Kind: acts.Cancel, Scope: c.scope})
		fence := decision{at: epoch.Add(c.began)}
		fence.Kind, fence.Epoch.ID = message.KindFence, "later"
		o.decisions = append(o.decisions, fence)
		if c.before {
			o.isDecided("x", "rejected", "", 11*time.Second)
		}
		o.isDecided("x", "rejected", "", 14*time.Second)
		o.decisions[len(o.decisions)-1].Epoch.ID = "later"
		ends := o.endsOf("a")
		if o.inItsEpoch(ends[len(ends)-1], *s); o.found(reported) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// The table of docs/design.md, "When a person ends a payout".
func TestNoWordGoesAgainstTheProvider(t *testing.T) {
	answers := []string{saysPaid, saysFailed, saysPartial, saysPending, noRecord, saysSomething, noAnswer}
	for _, c := range []struct {
		as    acts.As
		force bool
		fine  string // by answer: + fine, - not
	}{
		{acts.Paid, false, "+------"}, {acts.Paid, true, "+----++"}, {acts.Failed, false, "-+-----"}, {acts.Failed, true, "-+--+++"},
	} {
		for i, answer := range answers {
			o := testOracle("hold")
			s := o.said(acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: c.as, Force: c.force})
			o.isDecided("x", string(c.as), answer, 14*time.Second)
			o.calls = []call{{at: epoch.Add(13990 * time.Millisecond), tradeNo: "a", answer: answer, answered: epoch.Add(14 * time.Second)}}
			if o.word(o.endsOf("a")[0], *s); o.found(evident) == (c.fine[i] == '+') {
				t.Errorf("%s, forced %v, and the answer is %s: %v", c.as, c.force, answer, o.violations)
			}
		}
	}
}

// What a decision says that it was judged by, the provider has said.
func TestAWordIsJudgedByWhatTheProviderSaid(t *testing.T) {
	asked := func(at time.Duration, answer string, took time.Duration) call {
		return call{at: epoch.Add(at), tradeNo: "a", answer: answer, answered: epoch.Add(at + took)}
	}
	for name, c := range map[string]struct {
		finding string
		calls   []call
		faults  []Fault
		fine    bool
	}{
		"it said so":                        {noRecord, []call{asked(13*time.Second, noRecord, time.Millisecond)}, nil, true},
		"it said something else":            {noRecord, []call{asked(13*time.Second, saysPaid, time.Millisecond)}, nil, false},
		"it said so long ago":               {noRecord, []call{asked(11*time.Second, noRecord, time.Millisecond)}, nil, false},
		"it was never asked":                {noRecord, nil, nil, false},
		"no answer, it never came there":    {noAnswer, nil, nil, true},
		"no answer, it was cut":             {noAnswer, []call{asked(13*time.Second, noAnswer, time.Millisecond)}, nil, true},
		"no answer, it came late":           {noAnswer, []call{asked(13*time.Second, saysPaid, timeout)}, nil, true},
		"no answer, though there was one":   {noAnswer, []call{asked(13*time.Second, saysPaid, time.Millisecond)}, nil, false},
		"no answer, nobody is served":       {noAnswer, []call{asked(13*time.Second, noRecord, time.Millisecond)}, nil, true},
		"no answer, and others are served":  {noAnswer, []call{asked(13*time.Second, noRecord, time.Millisecond), {at: epoch.Add(13 * time.Second), tradeNo: "b", answer: saysPaid, answered: epoch.Add(13 * time.Second)}}, nil, false},
		"no answer, it was lost on the way": {noAnswer, []call{asked(13*time.Second, saysPaid, time.Millisecond)}, []Fault{{Kind: Lose, At: 12 * time.Second, For: time.Second}}, true},
	} {
		o := testOracle("hold", c.faults...)
		s := o.said(acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: acts.Failed, Force: true})
		o.expected.TradeNos["b"] = "eg-main"
		o.isDecided("x", "failed", c.finding, 14*time.Second)
		o.calls = c.calls
		if o.word(o.endsOf("a")[0], *s); o.found(evident) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

func TestAbsenceNeedsEnoughAnswersAndNothingShown(t *testing.T) {
	for name, c := range map[string]struct {
		before []string // answers to asks
		sent   string   // answer to the send
		fine   bool
	}{
		"enough":               {[]string{noRecord, noRecord, noRecord}, noAnswer, true},
		"and the send refused": {[]string{noRecord, noRecord, noRecord}, noRecord, true},
		"one is missing":       {[]string{noRecord, noRecord}, noAnswer, false},
		"one was no answer":    {[]string{noRecord, noAnswer, noRecord}, noAnswer, false},
		"it was shown once":    {[]string{noRecord, noRecord, noRecord, saysPending}, noAnswer, false},
		"it was acknowledged":  {[]string{noRecord, noRecord, noRecord}, saysPending, false},
	} {
		o := testOracle("hold")
		s := o.said(acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: acts.Failed})
		o.isDecided("x", "failed", noRecord, 14*time.Second)
		o.calls = []call{{at: epoch.Add(time.Second), placement: true, tradeNo: "a", answer: c.sent, answered: epoch.Add(time.Second)}}
		for i, answer := range append(c.before, noRecord) {
			at := epoch.Add(14*time.Second - time.Duration(len(c.before)-i)*time.Second)
			o.calls = append(o.calls, call{at: at, tradeNo: "a", answer: answer, answered: at})
		}
		if o.word(o.endsOf("a")[0], *s); o.found(evident) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

func TestAnActionHasOneTrueOutcome(t *testing.T) {
	no := false
	resolve := acts.Action{ID: "x", Kind: acts.Resolve, Scope: itself, As: acts.Failed, Lasts: 5 * time.Second}
	cancel := acts.Action{ID: "x", Kind: acts.Cancel, Scope: itself, Lasts: 5 * time.Second}
	ask := acts.Action{ID: "x", Kind: acts.Ask, Scope: itself, Lasts: 5 * time.Second}
	early, over := epoch.Add(12*time.Second), epoch.Add(15*time.Second)
	of := func(result string, at time.Time) outcome {
		return outcome{ID: "o", Action: "x", Result: result, TradeNo: "a", at: at}
	}
	failed := func(o *oracle) {
		o.isDecided("x", "failed", noAnswer, 11*time.Second)
		o.announced(message.EventFailed, "alice-x", "")
	}
	rejected := func(o *oracle) {
		o.isDecided("x", "rejected", "", 11*time.Second)
		o.announced(message.EventRejected, "alice-x", "")
	}
	held := func(why string) func(*oracle) {
		return func(o *oracle) {
			o.results["a"] = []result{{"h", message.Event{Type: message.EventHeld, Reason: why}, early}}
		}
	}
	nothing := func(*oracle) {}
	uncertain := of("expired", over)
	uncertain.Certain = &no
	fenced := func(o *oracle) {
		d := decision{at: early}
		d.Kind = message.KindFence
		o.decisions = append(o.decisions, d)
	}
	shard, signed, other := of("refused", early), of("refused", early), of("refused", early)
	shard.TradeNo, shard.Shard = "", new(int)
	signed.signed = true
	other.ID = "p"
	for name, c := range map[string]struct {
		action   acts.Action
		outcomes []outcome
		happened func(*oracle)
		fine     bool
	}{
		"refused":                          {resolve, []outcome{of("refused", early)}, nothing, true},
		"a copy of it":                     {resolve, []outcome{of("refused", early), of("refused", over)}, nothing, true},
		"none":                             {resolve, nil, nothing, false},
		"two":                              {resolve, []outcome{of("refused", early), of("expired", over)}, nothing, false},
		"two of the same, under two ids":   {resolve, []outcome{of("refused", early), other}, nothing, false},
		"about a shard":                    {resolve, []outcome{shard}, nothing, false},
		"signed by whom nobody knows":      {resolve, []outcome{signed}, nothing, false},
		"long after its time":              {resolve, []outcome{of("refused", epoch.Add(calm+claim+lease+time.Second))}, nothing, false},
		"refused, and it happened":         {resolve, []outcome{of("refused", early)}, failed, false},
		"expired, and it happened":         {resolve, []outcome{of("expired", over)}, failed, false},
		"expired, and announced only":      {resolve, []outcome{of("expired", over)}, func(o *oracle) { o.announced(message.EventFailed, "alice-x", "") }, false},
		"expired before its time":          {resolve, []outcome{of("expired", early)}, nothing, false},
		"expired, and an epoch began":      {resolve, []outcome{uncertain}, fenced, true},
		"expired, and no epoch began":      {resolve, []outcome{uncertain}, nothing, false},
		"done, and it happened":            {resolve, []outcome{of("done", early)}, failed, true},
		"done, and nothing happened":       {resolve, []outcome{of("done", early)}, nothing, false},
		"done, and the provider said so":   {resolve, []outcome{of("done", early)}, func(o *oracle) { o.announced(message.EventFailed, "", "") }, true},
		"done, and it ended as another":    {resolve, []outcome{of("done", early)}, func(o *oracle) { o.announced(message.EventPaid, "", "") }, false},
		"done, and it isn't confirmed":     {resolve, []outcome{of("done", early)}, func(o *oracle) { failed(o); o.sayings[0].complete = time.Time{} }, false},
		"nobody's":                         {resolve, []outcome{of("refused", early)}, func(o *oracle) { o.sayings[0].obeyed = false }, false},
		"cancelled, as rejected":           {cancel, []outcome{of("done", early)}, rejected, true},
		"cancelled, and decided later":     {cancel, []outcome{of("done", early)}, func(o *oracle) { rejected(o); o.decisions[0].at = over }, false},
		"cancelled, and rejected for else": {cancel, []outcome{of("done", early)}, func(o *oracle) { o.announced(message.EventRejected, "", "") }, false},
		"cancelled, and held for it":       {cancel, []outcome{of("done", early)}, held("cancelled by alice-x: why"), true},
		"cancelled, and held for another":  {cancel, []outcome{of("done", early)}, held("cancelled by alice-xy: why"), false},
		"not cancelled, and held for it":   {cancel, []outcome{of("refused", early)}, held("cancelled by alice-x, confirmed by bob"), false},
		"cancelled, and sent later": {cancel, []outcome{of("done", early)}, func(o *oracle) {
			rejected(o)
			o.calls = []call{{at: over, placement: true, tradeNo: "a"}}
		}, false},
		"asked, and no answer is named": {ask, []outcome{of("done", early)}, nothing, false},
	} {
		o := testOracle("hold")
		o.said(c.action)
		o.outcomes = c.outcomes
		c.happened(o)
		o.actions()
		if bad := o.found(reported) || o.found(theirs) && strings.Contains(name, "sent later"); bad == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// A refusal after the word that the cancel stands is void. Before it, it is the outcome.
func TestARefusalOfWhatStandsIsVoid(t *testing.T) {
	stands, refused := outcome{Kind: "stands", Action: "x"}, outcome{Kind: "outcome", Action: "x", Result: "refused"}
	for want, said := range map[int][]outcome{0: {stands, refused}, 1: {refused, stands}, 2: {stands, {Kind: "outcome", Result: "done"}, {Kind: "outcome", Action: "y", Result: "refused"}}} {
		e := newEvidence()
		for _, o := range said {
			e.said(o)
		}
		if len(e.outcomes) != want {
			t.Errorf("%d outcomes, want %d", len(e.outcomes), want)
		}
	}
}

// A batch's action has an outcome in each shard.
func TestEachShardHasAnOutcome(t *testing.T) {
	in := func(shard int) outcome {
		return outcome{ID: "o", Action: "x", Result: "done", Shard: &shard, at: epoch.Add(12 * time.Second)}
	}
	for name, c := range map[string]struct {
		outcomes []outcome
		lasts    time.Duration
		fine     bool
	}{
		"both":                         {[]outcome{in(0), in(1)}, 0, true},
		"one is missing":               {[]outcome{in(0)}, 0, false},
		"a third":                      {[]outcome{in(0), in(1), in(2)}, 0, false},
		"shard 0 alone refuses it":     {[]outcome{{ID: "o", Action: "x", Result: "refused", Shard: new(int)}}, -1, true},
		"its deadline was never ahead": {[]outcome{in(0)}, -1, false},
	} {
		o := testOracle("hold")
		o.plan.Shards = 2
		o.said(acts.Action{ID: "x", Kind: acts.Cancel, Scope: acts.Scope{Kind: acts.Batch, Name: "b1"}, Lasts: c.lasts})
		o.outcomes = c.outcomes
		if o.actions(); o.found(reported) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// An ask that is done was made.
func TestAnAskThatIsDoneWasMade(t *testing.T) {
	for name, c := range map[string]struct {
		finding string
		at      time.Duration
		fine    bool
	}{
		"it was":                        {saysPending, 12 * time.Second, true},
		"before it was said":            {saysPending, 8 * time.Second, false},
		"the provider said otherwise":   {saysPaid, 12 * time.Second, false},
		"nobody was asked at that time": {saysPending, 20 * time.Second, false},
	} {
		o := testOracle("hold")
		o.said(acts.Action{ID: "x", Kind: acts.Ask, Scope: itself})
		o.calls = []call{{at: epoch.Add(8 * time.Second), tradeNo: "a", answer: saysPending}, {at: epoch.Add(12 * time.Second), tradeNo: "a", answer: saysPending}}
		e := outcome{ID: "o", Action: "x", Result: "done", TradeNo: "a", at: epoch.Add(21 * time.Second)}
		e.Evidence = &acts.Evidence{Finding: c.finding, At: epoch.Add(c.at)}
		o.outcomes = []outcome{e}
		if o.actions(); o.found(reported) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// A payout's cancel stops it until its outcome stands, and a batch's unless it is refused.
func TestACancelStopsUntilItsOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		scope  acts.Scope
		result string
		fine   bool
	}{
		"its own, before the outcome":    {itself, "", false},
		"its own, after the outcome":     {itself, "expired", true},
		"its batch's, done":              {acts.Scope{Kind: acts.Batch, Name: "b1"}, "done", false},
		"its batch's, which nobody knew": {acts.Scope{Kind: acts.Batch, Name: "b1"}, "refused", true},
	} {
		o := testOracle("hold")
		command := o.expected.Commands["a"]
		command.BatchID = "b1"
		o.expected.Commands["a"] = command
		o.silenced = []silenced{{id: "x", scope: c.scope, cancels: true, from: epoch.Add(10 * time.Second), to: everLasting}}
		if c.result != "" {
			o.outcomes = []outcome{{Action: "x", Result: c.result, at: epoch.Add(12 * time.Second)}}
		}
		o.calls = []call{{at: epoch.Add(15 * time.Second), placement: true, tradeNo: "a"}}
		if o.silence(); o.found(silent) == c.fine {
			t.Errorf("%s: %v", name, o.violations)
		}
	}
}

// The world isn't quiet while people say something, an outcome is missing, or a partition isn't committed.
func TestTheWorldIsQuietOnlyWhenAllIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *oracle)
		why    string
	}{
		"all is over":            {func(*oracle) {}, ""},
		"somebody speaks":        {func(o *oracle) { o.talking = true }, "people still say something"},
		"no outcome":             {func(o *oracle) { o.outcomes = nil }, "has no outcome"},
		"an unsigned action":     {func(o *oracle) { o.outcomes, o.sayings[0].obeyed = nil, false }, ""},
		"nothing is committed":   {func(o *oracle) { o.commits = nil }, "partition 1 is committed up to 0"},
		"committed up to a hold": {func(o *oracle) { o.commits[0].offset, o.results["a"][0].event.Type = 4, message.EventHeld }, ""},
		"carried forward": {func(o *oracle) {
			o.commands = append(o.commands, command{partition: 1, offset: 7, tradeNos: []string{"a"}, carried: true})
			o.results["a"][0].event.Type, o.commits[0].offset = message.EventHeld, 7
		}, ""},
	} {
		o := testOracle("hold")
		o.hidden = func(time.Time) bool { return false }
		o.said(acts.Action{ID: "x", Kind: acts.Ask, Scope: itself})
		o.outcomes = []outcome{{Action: "x", Result: "refused", TradeNo: "a"}}
		o.commands = []command{{partition: 1, offset: 4, tradeNos: []string{"a"}}}
		o.commits = []commit{{partition: 1, offset: 5}}
		o.announced(message.EventFailed, "", "")
		c.change(o)
		why := strings.Join(o.pending(), "; ")
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// What a resume lifts counts as lifted from when it began to be written. What was paused after it stays.
func TestAResumeLiftsWhatStandsBeforeIt(t *testing.T) {
	scope, at := acts.Scope{Kind: acts.Fleet}, epoch.Add(10*time.Second)
	for name, c := range map[string]struct {
		change func(s *saying, p *silenced)
		lifts  bool
	}{
		"all that stands":        {func(*saying, *silenced) {}, true},
		"by name":                {func(s *saying, _ *silenced) { s.Lifts = []string{"p"} }, true},
		"another one by name":    {func(s *saying, _ *silenced) { s.Lifts = []string{"q"} }, false},
		"another scope":          {func(s *saying, _ *silenced) { s.Scope = itself }, false},
		"unsigned":               {func(s *saying, _ *silenced) { s.obeyed = false }, false},
		"not confirmed":          {func(s *saying, _ *silenced) { s.complete = time.Time{} }, false},
		"what was paused later":  {func(_ *saying, p *silenced) { p.began = at.Add(time.Second) }, false},
		"by what isn't a resume": {func(s *saying, _ *silenced) { s.Kind = acts.Ask }, false},
	} {
		s := saying{Action: acts.Action{Kind: acts.Resume, Scope: scope}, obeyed: true, acknowledged: at, complete: at}
		p := silenced{id: "p", scope: scope, began: at.Add(-time.Second)}
		if c.change(&s, &p); s.mayLift(&p) != c.lifts {
			t.Errorf("%s", name)
		}
	}
}
