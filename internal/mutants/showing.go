package mutants

// showing are the guards of what a person is told of a payout.
var showing = []Guard{
	{"A0 payouts are shown with the token", "whoever reaches the admin port learns who is paid how much", []Mutant{
		{Removes: "the token isn't compared", Edits: edit("internal/app/health.go", "case !a.allowed(r):", "case false:"),
			Killer: Killer{"internal/app", "TestAPayoutIsShownWithTheTokenOnly"}},
		{Removes: "without a configured token everybody may", Edits: edit("internal/app/health.go", "case a.config.Admin.Token.IsEmpty():", "case false:"),
			Killer: Killer{"internal/app", "TestAPayoutIsShownWithTheTokenOnly"}},
		{Removes: "the route is open", Edits: edit("internal/app/health.go", "a.forToken(a.showPayout)", "a.showPayout"),
			Killer: Killer{"internal/app", "TestAPayoutIsShownWithTheTokenOnly"}},
	}},
	{"A0 payees are masked", "who looks a payout up learns names and accounts of people", []Mutant{
		{Removes: "they are shown in clear", Edits: edit("payout/inquiry/answer.go", "p.Payee.Masked()", "p.Payee.Reveal()"),
			Killer: Killer{"payout/inquiry", "TestNothingOfThePayeeIsInClear"}},
		{Removes: "names are shown", Edits: edit("payout/masked.go", "return initials(value)", "return value"),
			Killer: Killer{"payout", "TestAMaskedPayeeIsRecognisedAndNotTold"}},
		{Removes: "short numbers are shown for the most part", Edits: edit("payout/masked.go", "len(text) >= longEnough && ", "len(text) >= shownTail && "),
			Killer: Killer{"payout", "TestAMaskedPayeeIsRecognisedAndNotTold"}},
	}},
	{"E2 a doubt is said", "a person believes a journal that has forgotten, and pays again under a new tradeNo", []Mutant{
		{Removes: "of a rebuild", Edits: edit("journal/known.go", "case building != \"\":", "case building != \"\" && false:"), Killer: Killer{"journal", "TestADoubtIsSaid"}},
		{Removes: "of another server", Edits: edit("journal/known.go", "case openedOn != runID:", "case false && openedOn != runID:"), Killer: Killer{"journal", "TestADoubtIsSaid"}},
		{Removes: "an unknown payout is missing though nobody can know", Edits: edit("payout/inquiry/answer.go", "a.place == Nowhere && a.Doubt == \"\"", "a.place == Nowhere"),
			Killer: Killer{"internal/app", "TestALostJournalIsNotAnUnknownPayout"}},
	}},
}
