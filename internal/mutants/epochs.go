package mutants

// epochs are the guards of E1, E2 and E5 to E8: who may write, where a replay may begin,
// and who lives in an epoch.
var epochs = []Guard{
	{"E1 epochs are told apart by id", "two that begin at once have the same number, and each takes the other's fence for its own", []Mutant{
		{Removes: "an id is made of the number", Edits: edit("decisions/begin.go", "ID: newID()}", "ID: fmt.Sprintf(\"epoch-number-%08d\", s.Epoch.Number+1)}"),
			Killer: Killer{"decisions", "TestAStaleHalfIsRefusedAndDoesNotFight"}},
		{Removes: "the scripts don't compare the id", Edits: edit("journal/lua/_believe.lua", "if epoch[1] ~= ARGV[1] then", "if false then"),
			Killer: Killer{"journal", "TestAnotherEpochIsRefusedByEveryScript"}},
	}},
	{"E2 run_id compared", "a restarted, promoted or foreign Redis is believed", []Mutant{
		{Removes: "the scripts don't compare it", Edits: edit("journal/lua/_believe.lua", "if epoch[2] ~= run_id() then", "if false then"),
			Killer: Killer{"journal", "TestAnotherServerIsRefusedByEveryScript"}},
		{Removes: "a server that was a replica meanwhile is the same", Edits: edit("journal/lua/_layout.lua", "'run_id:') .. ':' .. data", "'run_id:')"),
			Killer: Killer{"journal", "TestAServerThatWasAReplicaIsRefused"}},
		{Removes: "the keeper joins an epoch of another server", Edits: edit("payout/epoch.go", "s.Epoch.ID != \"\" && s.OpenedOn == s.RunID", "s.Epoch.ID != \"\""),
			Killer: Killer{"payout", "TestAnEpochIsOpenOnOneServerOnly"}},
	}},
	{"E2 in every script", "one script writes for an epoch that is over", []Mutant{
		unbelieved("insert"), unbelieved("lease"), unbelieved("apply"), unbelieved("position"), unbelieved("watermark"),
		unbelieved("marks"), unbelieved("due"), unbelieved("counts"), unbelieved("linger"),
	}},
	{"E5 watermark order", "a restart skips what a later epoch announced, and sends again", []Mutant{
		{Removes: "the decisions' ends are read after the look", Edits: edit("decisions/keeper.go", "\tif err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {",
			"\tfor p := range decisionEnds {\n\t\t_, decisionEnds[p], _ = k.Log.source(p).Bounds(ctx)\n\t}\n\tif err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {"),
			Killer: Killer{"decisions", "TestTheWatermarkPassesNothingThatCameAfterTheLook"}},
		{Removes: "the results' ends are read after the look", Edits: edit("decisions/keeper.go", "\tif err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {",
			"\tif again, err := k.resultEnds(ctx); err == nil {\n\t\tends = again\n\t}\n\tif err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {"),
			Killer: Killer{"decisions", "TestTheWatermarkPassesNothingThatCameAfterTheLook"}},
	}},
	{"E5 mark never past a foreign fence", "who joins later looks from behind the fence that voids its epoch", []Mutant{
		{Removes: "the look before it is written", Edits: edit("decisions/keeper.go", "\t\tif seen.fenced {\n\t\t\treturn fmt.Errorf(\"decisions: %w: a later epoch has fenced partition %d\", payout.ErrEpoch, p)\n\t\t}\n", "\t\t_ = seen\n"),
			Killer: Killer{"decisions", "TestAFenceOfABuilderThatNeverOpenedIsAnswered"}},
		{Removes: "it goes back", Edits: edit("journal/lua/watermark.lua", "if sub(field, 1, 8) ~= 'witness:' and tonumber(value) < tonumber(known[i] or '-1') then value = known[i] end", ""),
			Killer: Killer{"journal", "TestWatermarksNeverGoBackAndSurviveABuilding"}},
	}},
	{"E5 replay starts at the watermark", "what Redis lost is not replayed, and sent again", []Mutant{
		{Removes: "a tail is skipped", Edits: edit("decisions/rebuild.go", "return max(mark, start), trimmed, nil //", "return end, trimmed, nil //"),
			Killer: Killer{"decisions", "TestARestartReplaysItsTailOnly"}},
		{Removes: "a topic that was trimmed past it counts as known", Edits: edit("decisions/rebuild.go", "if !whole && (!known || mark >= start) {", "if !whole && (known || !known) {"),
			Killer: Killer{"decisions", "TestATopicTrimmedPastTheMarkIsReadWhole"}},
		{Removes: "a wiped Redis is asked nothing of the window", Edits: edit("decisions/rebuild.go", "\tif start == 0 {\n\t\treturn 0, trimmed, nil\n\t}\n", "\tif start == 0 {\n\t\treturn end, trimmed, nil\n\t}\n"),
			Killer: Killer{"decisions", "TestAWipedJournalIsRebuiltFromTheWholeWindow"}},
	}},
	{"E5 reach", "what a trimmed topic no longer tells is sent again", []Mutant{
		{Removes: "a trimmed partition reaches back all the way", Edits: edit("decisions/rebuild.go", "if trimmed.After(reach) {", "if false {"),
			Killer: Killer{"decisions", "TestTrimmedTopicsGiveAReach"}},
		{Removes: "the longest reach counts", Edits: edit("decisions/rebuild.go", "if trimmed.After(reach) {", "if !trimmed.IsZero() && (reach.IsZero() || trimmed.Before(reach)) {"),
			Killer: Killer{"decisions", "TestTheShortestReachCounts"}},
		{Removes: "a partition that was emptied reaches back all the way", Edits: edit("decisions/rebuild.go", "trimmed = time.Now() //", "//"),
			Killer: Killer{"decisions", "TestAnEmptiedPartitionVouchesForNothing"}},
		{Removes: "the next epoch forgets it", Edits: edit("journal/lua/open.lua", "if ARGV[4] ~= '' then call('HSET', P .. 'epoch', 'reach', ARGV[4]) end", "call('HSET', P .. 'epoch', 'reach', ARGV[4] ~= '' and ARGV[4] or '0')"),
			Killer: Killer{"journal", "TestReachHoldsWhatIsOlder"}},
	}},
	{"E6 adoption compares fingerprints", "another payee is paid under a tradeNo that was decided", []Mutant{
		{Removes: "a remembered send takes any command", Edits: edit("journal/lua/insert.lua", "local same = fingerprint ==", "local same = (memo and sent_memo(memo)) or fingerprint =="),
			Killer: Killer{"journal", "TestAdoption"}},
	}},
	{"E6 a conflict hides no send", "after a wipe and another default currency nobody asks about what was sent", []Mutant{
		{Removes: "only a command with its content opens it", Edits: edit("journal/lua/insert.lua", "    elseif memo and sent_memo(memo) then\n", "    elseif false then\n"),
			Killer: Killer{"journal", "TestAConflictWithARememberedSendLeavesItAskedAbout"}},
		{Removes: "a remembered hold is opened as a send", Edits: edit("journal/lua/insert.lua", "local state = held_memo(memo) and 'h' or 's'", "local state = 's'"),
			Killer: Killer{"journal", "TestAConflictWithARememberedSendLeavesItAskedAbout"}},
		{Removes: "its carried command doesn't hold it", Edits: edit("journal/lua/insert.lua", "      if carried == 'h' then open = hold(tradeNo, open) end\n      adopt", "      adopt"),
			Killer: Killer{"journal", "TestWhatIsAskedAboutWithoutContentIsHeldByItsCarriedCommand"}},
	}},
	{"E6 a remembered send asks", "what a replay knows to be decided is sent again when its command comes", []Mutant{
		{Removes: "its command is received", Edits: edit("journal/lua/insert.lua", "add(tradeNo, sending(record, lane, sub(memo, 18, 30), sent_by()), stamp(now), offset)", "add(tradeNo, record, due, offset)"),
			Killer: Killer{"journal", "TestAdoption"}},
		{Removes: "it counts as the only send", Edits: edit("journal/lua/insert.lua", "SENDS_FROM - 1) .. '02' .. sent .. send_by", "SENDS_FROM - 1) .. '01' .. sent .. send_by"),
			Killer: Killer{"journal", "TestACarriedCommandOfAnUnknownPayoutIsAsItsHeaderSays"}},
		{Removes: "its absence counts from its adoption on", Edits: edit("journal/lua/insert.lua", "return call('HGET', P .. 'epoch', 'send_by') or stamp(now) end", "return stamp(now) end"),
			Killer: Killer{"journal", "TestAdoption"}},
	}},
	{"E6 without content nothing is done", "a payout is sent or announced with nothing in it", []Mutant{
		{Removes: "apply schedules what has no content", Edits: edit("journal/lua/apply.lua", "if step ~= 'a' and partition == NOWHERE then", "if false then"),
			Killer: Killer{"journal", "TestWithoutContentNothingIsSentOrAnnounced"}},
		{Removes: "restore schedules what has no content", Edits: edit("journal/lua/restore.lua", "if step ~= 'n' or partition_of(record) ~= NO_PARTITION then", "if true then"),
			Killer: Killer{"journal", "TestAFinalWithoutContentIsAnnouncedOnceItIsAdopted"}},
		{Removes: "apply writes over what an insert filled in", Edits: edit("journal/lua/apply.lua", "sub(current, PARTITION_FROM, said_end)", "sub(head, PARTITION_FROM) .. sub(current, HEAD + 1, merchant_end) .. '{}\\n'"),
			Killer: Killer{"journal", "TestWhatAnInsertFilledInStaysAfterTheNextWrite"}},
	}},
	{"E7 a stale half stands still", "two halves begin epochs against each other for ever, or one holds what the other has paid", []Mutant{
		{Removes: "it doesn't wait for silence", Edits: edit("decisions/keeper.go", "case foreign.opened && time.Since(foreign.last) < silence:", "case false:"),
			Killer: Killer{"decisions", "TestAStaleHalfIsRefusedAndDoesNotFight"}},
		{Removes: "it goes on asking and announcing", Edits: edit("decisions/keeper.go", "\t\t\tk.Journal.Believe(\"\")\n", ""),
			Killer: Killer{"decisions", "TestAStaleHalfIsRefusedAndDoesNotFight"}},
		{Removes: "a live epoch says nothing", Edits: edit("decisions/keeper.go", "k.alive(ctx, e, pulse.silent(looked, time.Now()))", "_ = pulse"),
			Killer: Killer{"decisions", "TestIdlePartitionsKeepARecord"}},
		{Removes: "an epoch goes on over a log that was cut", Edits: edit("decisions/keeper.go", "if start > from || end < from {", "if start > from {"),
			Killer: Killer{"decisions", "TestALogThatWasCutEndsTheOpenEpoch"}},
	}},
	{"E2 the start tries every command", "a Redis without INFO can't be told from one that was restarted, and the service waits for ever", []Mutant{
		{Removes: "what scripts are refused counts for nothing", Edits: edit("internal/app/commands.go", "all = append(all, refused...)", "_ = refused"),
			Killer: Killer{"internal/app", "TestARedisThatLacksACommandIsRefusedByName"}},
		{Removes: "a server without a name is good enough", Edits: edit("internal/app/lua/rehearsal.lua", "not string.find(answer, 'run_id:%x')", "false"),
			Killer: Killer{"internal/app", "TestARedisThatTellsNoRunIDIsRefused"}},
		{Removes: "a renamed command is waited for", Edits: edit("internal/app/commands.go", `strings.Contains(text, "unknown command")`, "false"),
			Killer: Killer{"internal/app", "TestARedisThatLacksACommandIsRefusedByName"}},
	}},
	{"E8 number of shards", "payouts are looked for in shards that don't have them, and sent again", []Mutant{
		{Removes: "another number is joined", Edits: edit("decisions/keeper.go", "if s.Shards != 0 && s.Shards != k.Shards {", "if false {"),
			Killer: Killer{"decisions", "TestAnotherNumberOfShardsIsRefused"}},
	}},
	{"E8 settings of a rebuild", "an instance with other settings leaves payouts out of the replay, and they are sent again", []Mutant{
		{Removes: "any settings take part", Edits: edit("journal/lua/share.lua", "if e[4] ~= ARGV[2] then", "if false then"),
			Killer: Killer{"journal", "TestWorkersOfOtherSettingsGetNothing"}},
		{Removes: "the window isn't one of them", Edits: edit("journal/portions.go", "return fmt.Sprintf(\"%d/%d/2\", shards, j.window.Milliseconds())", "return fmt.Sprint(shards)"),
			Killer: Killer{"journal", "TestWorkersOfOtherSettingsGetNothing"}},
		{Removes: "the number of shards isn't one of them", Edits: edit("journal/portions.go", "return fmt.Sprintf(\"%d/%d/2\", shards, j.window.Milliseconds())", "return fmt.Sprint(shards-shards, j.window)"),
			Killer: Killer{"decisions", "TestAHelperOfAnotherNumberOfShardsHasNoPart"}},
	}},
	{"E8 another window", "the memory is looked for under other names, and what was paid is paid again", []Mutant{
		{Removes: "another window is joined", Edits: edit("journal/epoch.go", "fields[\"window\"] != \"\" && fields[\"window\"] != own", "fields[\"window\"] != \"\" && false && fields[\"window\"] != own"),
			Killer: Killer{"journal", "TestAnotherWindowIsRefused"}},
		{Removes: "the window isn't stored", Edits: edit("journal/lua/open.lua", ", 'window', ARGV[6])", ")"),
			Killer: Killer{"journal", "TestAnotherWindowIsRefused"}},
	}},
}

// unbelieved has a script run without the comparison that all of them begin with.
func unbelieved(script string) Mutant {
	return Mutant{Removes: script + " runs for whatever epoch", Edits: edit("journal/journal.go",
		"if !unbelieving[name] {\n\t\tfiles", "if !unbelieving[name] && name != \""+script+"\" {\n\t\tfiles"),
		Killer: Killer{"journal", "TestAfterBuildEveryBelievingScriptRefuses"}}
}
