package main

import (
	"fmt"
	"time"

	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

func (s *screen) problems(all []string) {
	for i, p := range all {
		if i == most {
			s.line("  … and %d more problems", len(all)-most)
			break
		}
		s.line("  %s %s", s.in(red, "problem"), p)
	}
}

// open tells what each payout waits for that nothing was announced of.
func (s *screen) open(tradeNos []string, e trial.Expected, l paysim.Ledger) {
	for i, tradeNo := range tradeNos {
		if i == most {
			s.line("  … and %d more are open", len(tradeNos)-most)
			break
		}
		s.line("  %s    %s: %s", s.in(yellow, "open"), tradeNo, waitsFor(tradeNo, e, l))
	}
}

func waitsFor(tradeNo string, e trial.Expected, l paysim.Ledger) string {
	c := e.Commands[tradeNo]
	entry := l.Entry(merchantNos[c.Merchant], tradeNo)
	switch {
	case entry.Placements > 0 && entry.Outcome == "":
		return fmt.Sprintf("sent, asked about %d times, the provider hasn't decided yet", entry.Queries)
	case entry.Placements > 0:
		return fmt.Sprintf("sent, asked about %d times, the outcome (%s) isn't announced yet", entry.Queries, entry.Outcome)
	case c.NotBefore.After(time.Now()):
		return "not to be sent before " + c.NotBefore.Format(time.RFC3339)
	}
	return "not sent yet"
}

// verdict is the last word: what all of it comes to.
func (s *screen) verdict(r trial.Report, o outcome) bool {
	took, open := fmt.Sprintf("%.1f s", o.took.Seconds()), len(r.Open)+r.Held
	switch {
	case r.Good() && o.end == complete:
		s.line("  %s  %d payouts in %s", s.in(green+";"+bold, "PASS"), len(o.expected.TradeNos), took)
		s.line("        one final result each, nothing was paid twice; the books and the provider's ledger agree, state and amount")
		s.line("        %s", s.in(dim, "make playground goes on until Ctrl-C, with a back office to ask"))
		return true
	case o.end == scheduled && len(r.Problems) == 0:
		s.line("  %s  after %s only scheduled payouts are open (%d of %d): they must not be sent yet, so nobody waits for them",
			s.in(yellow+";"+bold, "OPEN"), took, open, len(o.expected.TradeNos))
	case o.end == interrupted:
		s.line("  %s  interrupted after %s: %d of %d payouts are open", s.in(yellow+";"+bold, "STOP"), took, open, len(o.expected.TradeNos))
	case o.end == overtime:
		s.line("  %s  not finished after %s: %d of %d payouts are open, %d problems",
			s.in(red+";"+bold, "FAIL"), took, open, len(o.expected.TradeNos), len(r.Problems))
		s.line("        --limit gives it more time than %s", o.limit)
	default:
		s.line("  %s  after %s: %d problems, %d of %d payouts are open",
			s.in(red+";"+bold, "FAIL"), took, len(r.Problems), open, len(o.expected.TradeNos))
	}
	return false
}
