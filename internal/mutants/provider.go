package mutants

// provider are the guards on the wire: S5's last check, S6, what an answer proves; and the
// rate.
var provider = []Guard{
	{"S5 deadline on the monotonic clock", "a clock that was set back lets a late request out", []Mutant{
		{Removes: "the monotonic clock", Edits: edit("paypro/conn.go", "return !now.Before(latest) || !now.Round(0).Before(latest.Round(0))", "return !now.Round(0).Before(latest.Round(0))"),
			Killer: Killer{"paypro", "TestPassed"}},
	}},
	{"S5 deadline on the wall clock", "a machine that was suspended sends after its lease", []Mutant{
		{Removes: "the wall clock", Edits: edit("paypro/conn.go", "return !now.Before(latest) || !now.Round(0).Before(latest.Round(0))", "return !now.Before(latest)"),
			Killer: Killer{"paypro", "TestPassed"}},
	}},
	{"S5 the last check at the write", "a dial or a full buffer takes longer than the lease, and then the bytes leave", []Mutant{
		{Removes: "the check before a write", Edits: edit("paypro/conn.go", "if passed(o.latest) {", "if false {"),
			Killer: Killer{"paypro", "TestTooLate"}},
		{Removes: "the deadline of a write that blocks", Edits: edit("paypro/conn.go", "_ = c.SetWriteDeadline(earlier(latest, deadline)) //", "//"),
			Killer: Killer{"paypro", "TestTooLateHalfWay"}},
		// Protected twice: before the call, and at each write.
		{Removes: "every check but the first", Edits: []Edit{
			{"paypro/conn.go", "if passed(o.latest) {", "if false {"},
			{"paypro/conn.go", "_ = c.SetWriteDeadline(earlier(latest, deadline)) //", "//"},
		}, Killer: Killer{"paypro", "TestTooLate"}},
		{Removes: "every check", Edits: []Edit{
			{"paypro/client.go", "\tcase passed(latest):\n\t\treturn reply{unsent: true, problem: errTooLate.Error()}\n", ""},
			{"paypro/conn.go", "if passed(o.latest) {", "if false {"},
			{"paypro/conn.go", "_ = c.SetWriteDeadline(earlier(latest, deadline)) //", "//"},
		}, Killer: Killer{"paypro", "TestTooLate"}},
		{Removes: "a send without a last moment is refused", Edits: edit("paypro/client.go", "\tif latest.IsZero() {\n\t\treturn payout.Finding{Kind: payout.NotSent", "\tif false {\n\t\treturn payout.Finding{Kind: payout.NotSent"),
			Killer: Killer{"paypro", "TestTooLate"}},
	}},
	{"S6 no redirects", "a 307 repeats the POST elsewhere", []Mutant{
		{Removes: "a redirect is no answer", Edits: edit("paypro/wire.go", "\t\tw.keep(c)\n\t\treturn r\n", "\t\tw.keep(c)\n\t\tif r.status/100 == 3 && !used {\n\t\t\tcontinue\n\t\t}\n\t\treturn r\n"),
			Killer: Killer{"paypro", "TestNeverRepeats"}},
	}},
	{"S6 no retry by the transport", "a POST is sent again on a connection that died", []Mutant{
		{Removes: "what broke on an old connection is unsent", Edits: edit("paypro/wire.go", "if stale && used {", "if (stale || r.problem != \"\") && used {"),
			Killer: Killer{"paypro", "TestNeverRepeatsOnAnOldConnection"}},
		{Removes: "an Idempotency-Key is set", Edits: edit("paypro/request.go", "User-Agent: disburser\\r\\n", "User-Agent: disburser\\r\\nIdempotency-Key: x\\r\\n"),
			Killer: Killer{"paypro", "TestNeverRepeats"}},
		{Removes: "HTTP/2, whose connection many requests share", Edits: edit("paypro/wire.go", "MinVersion: tls.VersionTLS12,", "MinVersion: tls.VersionTLS12, NextProtos: []string{\"h2\"},"),
			Killer: Killer{"paypro", "TestTLS"}},
		{Removes: "the certificate is looked at", Edits: edit("paypro/wire.go", "MinVersion: tls.VersionTLS12,", "MinVersion: tls.VersionTLS12, InsecureSkipVerify: true,"),
			Killer: Killer{"paypro", "TestTLS"}},
	}},
	{"S6 not sent is a proof", "what left is taken for not sent, and is sent again", []Mutant{
		{Removes: "bytes that left", Edits: edit("paypro/conn.go", "o.left = o.left || n != 0", "o.left = o.left && n != 0"),
			Killer: Killer{"paypro", "TestHalfWritten"}},
		{Removes: "bytes that an earlier write let out", Edits: edit("paypro/conn.go", "o.left = o.left || n != 0", "o.left = n != 0"),
			Killer: Killer{"paypro", "TestOutlet"}},
		{Removes: "the bytes of a write that failed", Edits: edit("paypro/conn.go", "o.left = o.left || n != 0", "o.left = o.left || n != 0 && err == nil"),
			Killer: Killer{"paypro", "TestHalfWritten"}},
		{Removes: "a connection that ends while it is chosen", Edits: edit("paypro/wire.go", "if c.phase != free {", "if false {"),
			Killer: Killer{"paypro", "TestWhatIsHeard"}},
		{Removes: "any problem is a proof", Edits: edit("paypro/client.go", "\tif r.unsent {", "\tif r.unsent || r.problem != \"\" {"),
			Killer: Killer{"paypro", "TestHalfWritten"}},
	}},
	{"O1 an answer is to this request", "a late answer on a reused connection decides about another payout", []Mutant{
		// Protected twice: when it comes, and when the next call begins.
		{Removes: "an answer that nobody has asked for", Edits: []Edit{
			{"paypro/wire.go", "case c.phase != asking:", "case c.phase == dead:"},
			{"paypro/wire.go", "if c.phase != free {", "if c.phase == dead {"},
		}, Killer: Killer{"paypro", "TestUnaskedAnswers"}},
		{Removes: "an answer that is older than the request", Edits: edit("paypro/wire.go", "case err == nil && !c.out.answerable():", "case false:"),
			Killer: Killer{"paypro", "TestWhatIsHeard"}},
		{Removes: "an answer to half a request", Edits: edit("paypro/conn.go", "case n != len(request):", "case n > len(request):"),
			Killer: Killer{"paypro", "TestShortWrite"}},
		{Removes: "an answer about another tradeNo", Edits: edit("paypro/finding.go", "if !a.names(tradeNo) {", "if false {"),
			Killer: Killer{"paypro", "TestFinding"}},
	}},
	{"O1 only a clear answer counts", "an error page, a contradiction or a mangled code decides", []Mutant{
		{Removes: "HTTP statuses but 200", Edits: edit("paypro/finding.go", "case r.status != http.StatusOK:", "case false:"),
			Killer: Killer{"paypro", "TestFindingOfOtherStatuses"}},
		{Removes: "half an answer", Edits: edit("paypro/finding.go", "case r.problem != \"\":", "case r.problem != \"\" && len(r.body) == 0:"),
			Killer: Killer{"paypro", "TestBrokenConnections"}},
		{Removes: "a refused send that names a status", Edits: edit("paypro/finding.go",
			"\tcase a.status != \"\":\n\t\treturn payout.Unclear, \"contradictory: a code other than 0000, and yet a data.status\"\n\tcase a.code == codeFailed:", "\tcase a.code == codeFailed:"),
			Killer: Killer{"paypro", "TestFinding"}},
		{Removes: "a refused query that names a status", Edits: edit("paypro/finding.go",
			"\tcase a.status != \"\":\n\t\treturn payout.Unclear, \"contradictory: a code other than 0000, and yet a data.status\"\n\tcase slices.Contains", "\tcase slices.Contains"),
			Killer: Killer{"paypro", "TestFinding"}},
		{Removes: "a status that nobody knows fails", Edits: edit("paypro/finding.go", "lookUp(asked, a.status, payout.UnknownStatus)", "lookUp(asked, a.status, payout.Failed)"),
			Killer: Killer{"paypro", "TestFinding"}},
		{Removes: "every error of a query is an absence", Edits: edit("paypro/finding.go", "case slices.Contains(c.noRecord, a.code):", "default:"),
			Killer: Killer{"paypro", "TestNoRecordCodes"}},
		{Removes: "an exception is a refusal", Edits: edit("paypro/finding.go", "case a.code == codeFailed:", "case a.code == codeFailed, a.code == codeException:"),
			Killer: Killer{"paypro", "TestFinding"}},
		{Removes: "a name that stands twice", Edits: edit("paypro/walk.go", "if _, twice := object[name]; twice {", "if false {"),
			Killer: Killer{"paypro", "TestFinding"}},
	}},
	{"Rate: nothing granted twice after a wipe", "the provider sees more than agreed, and may block the merchant", []Mutant{
		{Removes: "a missing schedule begins now", Edits: edit("ratelimit/lua/take.lua", "next, begins, catches = now + horizon, true, {}", "next, begins, catches = now, true, {}"),
			Killer: Killer{"ratelimit", "TestAMissingScheduleBeginsBehindWhatWasGranted"}},
	}},
	{"Rate: a split Redis", "both halves make the same calls, twice as many as allowed", []Mutant{
		{Removes: "the new half goes on at once", Edits: edit("ratelimit/lua/take.lua", "next = math.max(next, now + tonumber(ARGV[11]))", "next = next"),
			Killer: Killer{"ratelimit", "TestASplitScheduleRestsBeforeItGoesOn"}},
		{Removes: "another server is as good as the last one", Edits: edit("ratelimit/lua/take.lua", "local other = wrote ~= server or epoch > known", "local other = not wrote or epoch > known"),
			Killer: Killer{"ratelimit", "TestASplitScheduleRestsBeforeItGoesOn"}},
		{Removes: "who is in an old epoch is granted moments", Edits: edit("ratelimit/lua/take.lua", "known and epoch < known then", "false then"),
			Killer: Killer{"ratelimit", "TestAnOldEpochIsGrantedNothing"}},
	}},
	{"Rate: no burst after a pause", "a deploy or a pause sends all the missed calls at once", []Mutant{
		// Checked before the process' own pace is added, with it, and after that was waited for.
		{Removes: "a missed moment is used", Edits: []Edit{
			{"ratelimit/ratelimit.go", "\tif now.Add(delay).Sub(moment) > slack {\n\t\tr.CancelAt(now)\n\t\treturn false, delay, nil\n", "\tif false {\n\t\treturn false, 0, nil\n"},
			{"ratelimit/ratelimit.go", "err == nil && time.Since(moment) > slack {", "err == nil && slack > time.Hour {"},
		}, Killer: Killer{"ratelimit", "TestAMomentThatTheOwnPaceMakesTooLateIsReplaced"}},
		// Protected twice: the schedule doesn't grant what was missed, and nobody uses it.
		{Removes: "missed moments are granted, and used", Edits: []Edit{
			{"ratelimit/lua/take.lua", "local start = now - slack\n", "local start = 0\n"},
			{"ratelimit/ratelimit.go", "\tif now.Sub(moment) > slack {\n", "\tif slack > time.Hour {\n"},
			{"ratelimit/ratelimit.go", "\tif now.Add(delay).Sub(moment) > slack {\n\t\tr.CancelAt(now)\n\t\treturn false, delay, nil\n", "\tif false {\n\t\treturn false, 0, nil\n"},
			{"ratelimit/ratelimit.go", "err == nil && time.Since(moment) > slack {", "err == nil && slack > time.Hour {"},
		}, Killer: Killer{"ratelimit", "TestNoBurstAfterAPause"}},
		{Removes: "moments that nobody can place are used", Edits: edit("ratelimit/schedule.go", "sure = unknown <= l.usual+slowReply", "sure = true"),
			Killer: Killer{"ratelimit", "TestMomentsThatNobodyCanPlaceAreThrownAway"}},
		{Removes: "moments are placed by the last answer alone", Edits: []Edit{
			{"ratelimit/clock.go", "if c.known {", "if false {"},
			{"ratelimit/schedule.go", "sure = unknown <= l.usual+slowReply", "sure = true"},
		}, Killer: Killer{"ratelimit", "TestAnAnswerThatComesLateGrantsNothing"}},
		{Removes: "all that was missed is caught up on", Edits: edit("ratelimit/lua/take.lua", "if catches[most] and catches[most] >= moment then return false end", ""),
			Killer: Killer{"ratelimit", "TestCallsAsLateAsTheyMayBe"}},
	}},
	{"Secrets masked", "people's names and accounts stand in logs and results", []Mutant{
		{Removes: "the provider's words are passed on as they are", Edits: edit("paypro/finding.go", "oneLine(masked(oneLine(words, maxAnswer), hide), maxText)", "oneLine(words, maxText)"),
			Killer: Killer{"paypro", "TestFindingHidesPeople"}},
	}},
}
