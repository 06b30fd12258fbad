package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"disburser/internal/audit"
)

// account prints what the books say.
func (s *screen) account(a audit.Account) {
	head := fmt.Sprintf("  %-10s %12s", "the books", "ordered")
	for _, name := range []string{"paid", "partial", "failed", "rejected", "open"} {
		head += fmt.Sprintf(" %11s", name)
	}
	s.line("%s", s.in(dim, head))
	for _, currency := range slices.Sorted(maps.Keys(a.Overview.Amounts)) {
		amounts := a.Overview.Amounts[currency]
		line := "  " + s.in(cyan, fmt.Sprintf("%-10s", cmp.Or(currency, "(none)"))) + s.in(bold, fmt.Sprintf(" %12s", amounts.Ordered))
		for _, part := range audit.Parts(amounts) {
			text := fmt.Sprintf(" %11s", part)
			if part == "0" {
				text = s.in(dim, text)
			}
			line += text
		}
		s.line("%s", line)
	}
	s.line("")
}
