package mutants

// history are the guards of what a rebuild rests on: that the topics still hold what was
// written to them. They belong to E9.
var history = []Guard{
	{"E9 a lost history is noticed", "the topic of decisions was made anew. After a wipe nobody knows what was sent, and it is sent again", []Mutant{
		{Removes: "nobody looks", Edits: edit("decisions/history.go", "if l, err = k.missingNow(ctx, m); err != nil", "if l, err = k.missingNow(ctx, knowledge{}); err != nil"), Killer: lostHistory},
		{Removes: "another record at the same offset", Edits: edit("decisions/history.go", "if !found || r.Sum() != t.sum {", "if found && !found && r.Sum() != t.sum {"), Killer: lostHistory},
		// Protected twice: what the journal knew stays in this instance's memory, and is missed there.
		{Removes: "what the journal knows of the topics", Edits: []Edit{
			{"decisions/gap.go", "[]knowledge{knowledgeOf(s), k.known}", "[]knowledge{k.known}"},
			{"decisions/begin.go", "b.gap.trusted(b.standing.Witnesses)", "nil"},
		}, Killer: lostHistory},
		{Removes: "what this instance knows of them", Edits: edit("decisions/gap.go", "[]knowledge{knowledgeOf(s), k.known}", "[]knowledge{knowledgeOf(s)}"), Killer: lostHistory},
		{Removes: "results beside empty decisions", Edits: edit("decisions/gap.go", "case onlyFences && ever:", "case onlyFences && ever && false:"), Killer: lostHistory},
		{Removes: "results older than the decisions", Edits: edit("decisions/gap.go", "case !onlyFences && !result.IsZero() && result", "case false && result"), Killer: lostHistory},
		{Removes: "commits beside empty decisions", Edits: edit("decisions/gap.go", "if lived {", "if lived && false {"), Killer: lostHistory},
		{Removes: "offsets that are missing in the log", Edits: edit("decisions/rebuild.go", "if page.Holes {", "if page.Holes && false {"),
			Killer: Killer{"decisions", "TestOffsetsThatAreMissingAreALostHistory"}},
	}},
	{"E9 a lost history is on record", "after the next wipe the topics count as complete", []Mutant{
		{Removes: "it isn't written", Edits: edit("decisions/gap.go", "for p := range fences {\n\t\tif _, err", "for p := range map[int]int64{} {\n\t\tif _, err"), Killer: lostHistory},
		{Removes: "it isn't read", Edits: edit("decisions/replay.go", "if d.Kind == message.KindLost {", "if false {"), Killer: lostHistory},
		{Removes: "what was read is forgotten", Edits: edit("decisions/gap.go", "latest(trimmed, lost, g.reach)", "latest(trimmed, g.reach)"), Killer: lostHistory},
	}},
	{"E9 a journal that lost its end beside a lost history holds", "what was sent is unknown, or still waits to be sent, and is sent again", []Mutant{
		{Removes: "a wiped journal takes in what is older", Edits: edit("decisions/gap.go", "latest(trimmed, lost, g.reach)", "latest(trimmed, lost)"), Killer: lostHistory},
		{Removes: "what waits is sent", Edits: edit("decisions/begin.go", "\tif gap.unsent || !whole && s.Whole && gap.decisions != \"\" {", "\tif false {"),
			Killer: Killer{"decisions", "TestWhatWaitsIsAskedAboutWhereItsDecisionMayBeLost"}},
		{Removes: "a whole journal needn't be the last one", Edits: edit("decisions/begin.go", "whole := s.Whole && replayed.worked <= s.Epoch.Number", "whole := s.Whole"),
			Killer: Killer{"decisions", "TestAWholeJournalThatWasNotTheLastOneHolds"}},
		{Removes: "what is found behind others", Edits: edit("journal/lua/unsent.lua", "  until #page == 0", "  until true"),
			Killer: Killer{"journal", "TestUnsentLooksBehindWhatIsNotReceived"}},
		{Removes: "the broker's clock", Edits: edit("decisions/replay.go", "d.Time.UnixMilli(), record.Time.UnixMilli())", "d.Time.UnixMilli())"),
			Killer: Killer{"decisions", "TestALossIsAsLateAsTheClockThatIsAhead"}},
	}},
	{"E9 a first start has lost nothing", "all commands that are older than the first start are held", []Mutant{
		{Removes: "empty topics count as lost", Edits: edit("decisions/gap.go", "case onlyFences && ever:", "case onlyFences && (ever || !ever):"), Killer: Killer{"decisions", "TestAFirstStartHasLostNothing"}},
		{Removes: "a whole journal counts as wiped", Edits: edit("decisions/gap.go", "\tif whole {", "\tif whole && false {"),
			Killer: Killer{"decisions", "TestAJournalThatIsWholeGoesOnAfterALostHistory"}},
		{Removes: "what another program writes is a result", Edits: edit("decisions/gap.go", "if _, ours := fingerprintOf(r); ours {", "if _, ours := fingerprintOf(r); ours || !ours {"),
			Killer: Killer{"decisions", "TestAFirstStartHasLostNothing"}},
		{Removes: "markers of transactions are holes", Edits: edit("internal/partition/unread.go", "p.Holes = p.Holes || !b.attributes.Control() && b.last >= p.Next", "p.Holes = p.Holes || b.last >= p.Next"),
			Killer: Killer{"internal/partition", "TestMissingOffsetsAreTold"}},
		{Removes: "retention counts as a loss", Edits: edit("decisions/history.go", "if !known || t.offset < start {", "if !known || start < 0 {"), Killer: Killer{"decisions", "TestRetentionIsNoLostHistory"}},
	}},
	{"E9 topics that forget are refused", "what a lost journal needs is compacted away", []Mutant{
		{Removes: "compaction", Edits: edit("internal/app/topics.go", "strings.Contains(policy, \"compact\")", "false"), Killer: Killer{"internal/app", "TestTheStartRefusesTopicsThatForget"}},
		{Removes: "deletion by size", Edits: edit("internal/app/topics.go", "err == nil && bytes >= 0 {", "err == nil && false {"), Killer: Killer{"internal/app", "TestTheStartRefusesTopicsThatForget"}},
	}},
}

var lostHistory = Killer{"decisions", "TestAWipeAfterALostHistoryHoldsWhatItDoesNotKnow"}
