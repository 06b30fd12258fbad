package mutants

// replays are the guards of I7: which dead letters a person may have published again.
var replays = []Guard{
	{"I7 a conflict is never replayed", "after the window its content is paid beside the first one", []Mutant{
		{Removes: "it is one like any other", Edits: edit("backoffice/replay/replay.go", "\t\treturn \"its tradeNo has another content: find out which one was meant, and order the second one under a new tradeNo\"\n", "\t\treturn \"\"\n"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
	}},
	{"I7 what was ordered otherwise isn't replayed", "a payout that was paid and forgotten is paid again", []Mutant{
		{Removes: "what the books know counts for nothing", Edits: edit("backoffice/replay/replay.go", "if state := c.Ordered[tradeNo]; state != \"\" {", "if state := c.Ordered[tradeNo]; false {"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "a copy of the message is the message itself", Edits: edit("backoffice/replay/replay.go", "if o.Copies > 1 || o.Copies == 0 {", "if false {"),
			Killer: Killer{"backoffice/replay", "TestWhatWasOrderedOtherwise"}},
		{Removes: "a decision to send counts for nothing", Edits: edit("backoffice/replay/replay.go", " || p.Sent != nil\n", "\n"),
			Killer: Killer{"backoffice/replay", "TestWhatWasOrderedOtherwise"}},
		{Removes: "two of one run may have one tradeNo", Edits: edit("backoffice/replay/replay.go", "if c.Taken != \"\" {", "if false {"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "the books may be behind", Edits: edit("backoffice/service/replay.go", "if p.Next >= end {", "if true || p.Next >= end {"),
			Killer: Killer{"backoffice/service", "TestAReplayWaitsForTheBooks"}},
	}},
	{"I7 the age counts from the first dead letter", "a payout that was paid and forgotten is paid again", []Mutant{
		{Removes: "age doesn't count", Edits: edit("backoffice/replay/replay.go", "if c.Now.Sub(first) < c.Window/2 {", "if true {"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "each replay makes it young", Edits: edit("backoffice/replay/replay.go", "is && r.First.Before(first) {", "is && false {"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "a replay doesn't tell it", Edits: edit("backoffice/service/replay.go", "is && before.First.Before(first) {", "is && false {"),
			Killer: Killer{"backoffice/service", "TestAReplayTellsTheFirstTime"}},
	}},
	{"I7 only the whole original is replayed", "the beginning of a message, or another message, is taken for the one that a person has seen", []Mutant{
		{Removes: "it may be cut", Edits: edit("backoffice/replay/replay.go", "\tcase l.MayBeCut():\n", "\tcase false:\n"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "it may be another one's", Edits: edit("backoffice/replay/replay.go", "l.Source.Offset != c.Letter.Source.Offset || l.Index+1 != c.Letter.Source.Element:", "false:"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
		{Removes: "it may be the service's own", Edits: edit("backoffice/replay/replay.go", "\tcase message.DecodeCarried(l.Headers).State != 0:\n", "\tcase false:\n"),
			Killer: Killer{"backoffice/replay", "TestWhichMayBeReplayed"}},
	}},
	{"I7 one replay at a time", "a command is published as often as people ask at once", []Mutant{
		{Removes: "several run at once", Edits: edit("backoffice/books/database/alone.go", "\tcase b.replaying <- struct{}{}:\n\t\tdefer func() { <-b.replaying }()\n", "\tdefault:\n"),
			Killer: Killer{"backoffice/books/database", "TestOneReplayAtATime"}},
	}},
}
