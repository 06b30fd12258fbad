package mutants

// parking are the guards of A4 and A12: what a person has stopped waits apart, and none of it is lost.
var parking = []Guard{
	{"A4 parked is a step", "what is paused is sent, or a payout stands in two places", []Mutant{
		{Removes: "what is leased is parked", Edits: edit("journal/lua/park.lua", "is == WAITS_TO_BE_SENT and to ~= 's'", "sub(is, 2, 2) ~= PARKED and to ~= 's'"),
			Killer: Killer{"journal", "TestWhatIsLeasedIsNotParked"}},
		{Removes: "a lease by name asks whether the payout is due", Edits: edit("journal/lua/lease.lua", "if at and tonumber(at) <= now then due[#due + 1]", "if true then due[#due + 1]"),
			Killer: Killer{"journal", "TestALeaseByNameTakesWhatIsDue"}},
		{Removes: "a review leaves it among the parked", Edits: edit("journal/lua/lease.lua", "      leave(set_of(record), tradeNo)\n", ""),
			Killer: Killer{"journal", "TestAParkedPayoutExpires"}},
		{Removes: "a carried hold leaves it among the parked", Edits: edit("journal/lua/insert.lua", "  leave(set_of(record), tradeNo)\n", ""),
			Killer: Killer{"journal", "TestWhatEndsAParkedPayout"}},
		{Removes: "a rebuild leaves it among the parked", Edits: edit("journal/lua/_restore.lua", "call('ZREM', set_of(record), tradeNo)", "call('ZREM', due_set(step_of(record), merchant), tradeNo)"),
			Killer: Killer{"journal", "TestWhatEndsAParkedPayout"}},
		{Removes: "it leaves its place among the expiring", Edits: edit("journal/lua/park.lua", "  leave(set_of(record), tradeNo)\n  begin_with", "  leave(set_of(record), tradeNo)\n  leave(due_set('x'), tradeNo)\n  begin_with"),
			Killer: Killer{"journal", "TestAParkedPayoutExpires"}},
		{Removes: "its batch isn't listed", Edits: edit("journal/lua/park.lua", "for _, batch in ipairs(batches) do call('ZADD', PARKED_SETS, 0, batch) end", ""),
			Killer: Killer{"journal", "TestAParkedPayoutIsNotLeased"}},
	}},
	{"A4 parked keeps its due time", "a payout that was parked and brought back is sent before notBefore", []Mutant{
		{Removes: "it is due at once", Edits: edit("journal/lua/park.lua", "wait_in(due_set('s', owner), due, tradeNo)", "wait_in(due_set('s', owner), stamp(0), tradeNo)"),
			Killer: Killer{"journal", "TestAParkedPayoutIsNotLeased"}},
	}},
	{"A4 a parked payout may have been sent", "Redis forgets a send, nobody can read its decision, and it is sent again when its pause is lifted", []Mutant{
		{Removes: "parked payouts aren't among the unsent", Edits: edit("journal/lua/unsent.lua", "for _, batch in ipairs(call('ZRANGE', PARKED_SETS, 0, -1)) do", "for _, batch in ipairs({}) do"),
			Killer: Killer{"journal", "TestUnsentFindsWhatIsParked"}},
	}},
	{"A4 old news move nothing", "an instance that hasn't read a pause brings back what it stopped, or parks what was resumed", []Mutant{
		{Removes: "they are compared", Edits: edit("journal/lua/park.lua", "if to ~= 'x' and follows < followed then", "if false then"),
			Killer: Killer{"journal", "TestOldNewsMoveNothing"}},
		{Removes: "the largest is noted", Edits: edit("journal/lua/park.lua", "if follows > followed then", "if false then"),
			Killer: Killer{"journal", "TestOldNewsMoveNothing"}},
	}},
	{"A4 parked before it is leased", "what is paused is leased, and a crash makes holds of it; a large paused batch slows the others", []Mutant{
		{Removes: "the lease isn't told of batches", Edits: edit("disburse/park.go", "LeaveBatches: stopped.Batches, ", ""),
			Killer: Killer{"disburse", "TestAPausedBatchIsParked"}},
		{Removes: "the lease takes them all the same", Edits: edit("journal/lua/lease.lua", "and stopped(tradeNo, record) then", "and false and stopped(tradeNo, record) then"),
			Killer: Killer{"journal", "TestALeaseLeavesWhatPeopleStop"}},
		{Removes: "nobody looks at what the lease has met", Edits: edit("disburse/park.go", "la.sifts = leased.LeftBehind > 0; !la.sifts", "la.sifts = false; !la.sifts"),
			Killer: Killer{"disburse", "TestAPausedBatchIsParked"}},
		{Removes: "a batch that is stopped isn't among them", Edits: edit("payout/acts/view.go", "\t\t\tn.Batches = append(n.Batches, scope.Name)\n", ""),
			Killer: Killer{"payout/acts", "TestWhatIsStoppedNarrowly"}},
		{Removes: "a payout that is stopped isn't among them", Edits: edit("payout/acts/view.go", "\t\t\tn.Payouts = append(n.Payouts, scope.Name)\n", ""),
			Killer: Killer{"payout/acts", "TestWhatIsStoppedNarrowly"}},
	}},
	{"A4 nothing stays parked without a reason", "a payout whose pause was lifted waits for ever", []Mutant{
		{Removes: "the sweep each minute", Edits: edit("disburse/park.go", "parkedEvery = time.Minute", "parkedEvery = 1000 * time.Hour"),
			Killer: Killer{"disburse", "TestWhatIsParkedIsAskedAboutEachMinute"}},
		{Removes: "the sweep after a change", Edits: edit("disburse/park.go", "case l.sweeps <- struct{}{}:", "case (chan struct{})(nil) <- struct{}{}:"),
			Killer: Killer{"disburse", "TestAPausedBatchIsParked"}},
		{Removes: "what had no room is forgotten", Edits: edit("disburse/park.go", "\t\t\tcase m.Full:\n\t\t\t\treturn true, nil\n", "\t\t\tcase m.Full:\n\t\t\t\treturn false, nil\n"),
			Killer: Killer{"disburse", "TestBringingBackWaitsForRoom"}},
	}},
	{"A4 what nobody knows stays parked", "a machine that lost Kafka brings back what is paused", []Mutant{
		{Removes: "it asks whether its view is fresh, before a sweep and for each payout", Edits: append(
			edit("disburse/park.go", "if l.Actions.Stops(\"\", \"\", \"\").Why == acts.NotFresh {", "if false {"),
			edit("disburse/park.go", "case stop.Why == acts.NotFresh:", "case false:")...),
			Killer: Killer{"disburse", "TestNothingIsBroughtBackWhileNobodyKnows"}},
	}},
	{"A4 cancelled payouts end", "a batch that was cancelled waits for ever, or is sent after a resume", []Mutant{
		{Removes: "they are parked", Edits: edit("disburse/park.go", "\tcase ends:\n\t\treturn payout.StepReview\n", "\tcase ends:\n\t\treturn payout.StepParked\n"),
			Killer: Killer{"disburse", "TestACancelledBatchEnds"}},
		{Removes: "the review doesn't ask", Edits: edit("disburse/review.go", "ends := l.stops(p).Ends(); ends {", "ends := l.stops(p).Ends(); ends && false {"),
			Killer: Killer{"disburse", "TestACancelledBatchEnds"}},
		{Removes: "the intake doesn't ask", Edits: edit("consumer/decode.go", "invalid == \"\" && c.Cancelled(", "false && c.Cancelled("),
			Killer: Killer{"consumer", "TestWhatIsCancelledWaitsForAReview"}},
	}},
	{"A8 never sent", "a payout that may have been paid is rejected", []Mutant{
		{Removes: "earlier sends", Edits: edit("payout/cancel.go", "if p.Sends > 0 || p.Unacknowledged", "if p.Unacknowledged"),
			Killer: Killer{"payout", "TestWhoIsCancelledEnds"}},
		{Removes: "a decision that may land", Edits: edit("payout/cancel.go", "p.Sends > 0 || p.Unacknowledged ||", "p.Sends > 0 ||"),
			Killer: Killer{"payout", "TestWhoIsCancelledEnds"}},
		{Removes: "the state", Edits: edit("payout/cancel.go", "if p.State != StateReceived {", "if false {"),
			Killer: Killer{"payout", "TestWhoIsCancelledEnds"}},
	}},
	{"A4 max_open, max_parked", "a paused batch stops the intake of everybody, or a resumed one fills Redis", []Mutant{
		{Removes: "bringing back has no bound", Edits: edit("journal/lua/park.lua", "if due and moved < room then", "if due then"),
			Killer: Killer{"journal", "TestBringingBackStopsAtMaxOpen"}},
		{Removes: "parked ones count", Edits: edit("journal/lua/insert.lua", "total = total - math.min(tonumber(parked), tonumber(ARGV[7]))", "total = total - 0"),
			Killer: Killer{"journal", "TestParkedPayoutsCountUpToALimit"}},
		{Removes: "parked ones have no limit", Edits: edit("journal/lua/insert.lua", "math.min(tonumber(parked), tonumber(ARGV[7]))", "tonumber(parked)"),
			Killer: Killer{"journal", "TestParkedPayoutsCountUpToALimit"}},
	}},
	{"A12 no mixed fleet", "an instance that knows nothing of actions sends what is paused", []Mutant{
		{Removes: "the layout is the one that it knows", Edits: edit("payout/epochs/epoch.go", "const Layout = 3", "const Layout = 2"),
			Killer: Killer{"journal", "TestAJournalOfLayout2GoesOn"}},
	}},
}
