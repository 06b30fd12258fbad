package mutants

// sizes are the guards of what doesn't fit into one batch of a topic.
var sizes = []Guard{
	{"S3 a decision in several records is good or void as a whole", "payouts are sent whose part of the decision stands behind a foreign fence, or isn't in the log", []Mutant{
		{Removes: "the look ends at the first of them", Edits: edit("decisions/log.go", "return l.look(ctx, epoch, home, looked, first, last, end)", "return l.look(ctx, epoch, home, looked, first, first, max(last, end))"),
			Killer: Killer{"decisions", "TestAFenceBetweenTheRecordsOfOneDecisionVoidsIt"}},
		{Removes: "one that the topic doesn't take counts", Edits: edit("decisions/split.go", "failed[parts[0].request] = fmt.Errorf", "_ = fmt.Errorf"),
			Killer: Killer{"decisions", "TestADecisionThatTheTopicDoesNotTakeIsNotMade"}},
		{Removes: "half of a record is left out", Edits: edit("decisions/split.go", "{span(r, n/2, n), p.request}}, true", "{span(r, n-1, n), p.request}}, true"),
			Killer: Killer{"decisions", "TestEverySizeOfDecisionFits"}},
	}},
	{"O3 what is too large counts as not acknowledged", "a result that the topic doesn't accept is forgotten", []Mutant{
		{Removes: "one that is too large alone is acknowledged", Edits: edit("producer/topic.go", "p.oversize = append(p.oversize, at)", "p.acknowledged[at] = true"),
			Killer: Killer{"producer", "TestResultsOfEverySizeInTopicsOfEverySize"}},
		{Removes: "it holds up the others", Edits: edit("disburse/announce.go", "if tooLarge[t.payout.TradeNo] {", "if tooLarge[\"\"] {"),
			Killer: Killer{"disburse", "TestAResultThatIsTooLargeHoldsUpNoOther"}},
	}},
}
