package mutants

// oneShots are the guards of A5, A9 and A10: what a person says once is done once, and its outcome is true.
var oneShots = []Guard{
	{"A9 two people", "one person ends a payout though two were needed", []Mutant{
		{Removes: "the configuration's word", Edits: edit("payout/acts/oneshot.go", "if a.Force || slices.Contains(r.TwoPeople, word) {", "if a.Force || word == \"\" {"),
			Killer: Killer{"payout/acts", "TestWhoNeedsTwo"}},
		{Removes: "a forced one", Edits: edit("payout/acts/oneshot.go", "if a.Force || slices.Contains(r.TwoPeople, word) {", "if slices.Contains(r.TwoPeople, word) {"),
			Killer: Killer{"payout/acts", "TestWhoNeedsTwo"}},
		{Removes: "the record's word", Edits: edit("payout/acts/oneshot.go", "return max(2, a.Needs)\n\t}\n\treturn a.Needs", "return 2\n\t}\n\treturn 1"),
			Killer: Killer{"payout/acts", "TestWhoNeedsTwo"}},
		{Removes: "the second word's place", Edits: edit("payout/acts/oneshot.go", "o.Complete, o.Place, o.Order, o.ConfirmedBy = true, by.Offset, by.Order,", "o.Complete, o.Place, o.ConfirmedBy = true, o.Offset,"),
			Killer: Killer{"payout/acts", "TestWhoNeedsTwo"}},
		{Removes: "it stands before it is confirmed", Edits: edit("payout/acts/fold.go", "\tif !o.Complete {\n\t\treturn a, Waits, \"\"\n\t}\n", ""),
			Killer: Killer{"payout/acts", "TestWhoNeedsTwo"}},
	}},
	{"A0 a cancel stands until its outcome", "a payout is sent while its cancel is being carried out", []Mutant{
		{Removes: "it doesn't stand", Edits: edit("payout/acts/fold.go", "if o.Kind == Cancel && !o.Malformed() {", "if false {"),
			Killer: Killer{"payout/acts", "TestACancelStandsUntil"}},
		{Removes: "another payout's outcome lifts it", Edits: edit("payout/acts/fold.go", "case o.Scope.Kind == Payout && a.Ended.TradeNo != o.Scope.Name:", "case false:"),
			Killer: Killer{"payout/acts", "TestACancelStandsUntil"}},
		{Removes: "a batch's falls with its outcome", Edits: edit("payout/acts/fold.go", "(o.Scope.Kind == Payout || a.Ended.Result == Refused && a.Ended.Shard == 0)", "true"),
			Killer: Killer{"payout/acts", "TestACancelStandsUntil"}},
		{Removes: "an unsigned outcome counts", Edits: edit("payout/acts/action.go", "\tcase !a.Trusted:\n", "\tcase !a.Trusted && a.Kind != Outcome:\n"),
			Killer: Killer{"payout/acts", "TestWhatIsPending"}},
	}},
	{"A5 one outcome", "an action has two outcomes, and they may differ", []Mutant{
		{Removes: "an outcome's id is its own", Edits: edit("payout/acts/ended.go", "sha256.Sum256([]byte(e.Of + \"\\x00\" + place))", "sha256.Sum256([]byte(e.Of + \"\\x00\" + place + e.Detail))"),
			Killer: Killer{"payout/acts", "TestAnOutcomeIsReadAsItWasWritten"}},
	}},
}
