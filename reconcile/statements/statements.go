// Package statements promises to read the provider's or a bank's statement as it is: a table, ISO 20022 camt.053,
// or SWIFT MT940. What can't be read exactly is an error with its line, and never a guess. Errors show no
// name and no account. Each reader takes one line after the other, so that a statement may be of any size.
package statements

import (
	"errors"
	"fmt"
	"strings"

	"disburser/message"
	"disburser/payout/money"
	"disburser/reconcile"
)

// errAt is an error of a statement with its line and what to do.
func errAt(line int, format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
}

// tradeNoOf is a reference, if it can be a tradeNo; else "".
func tradeNoOf(reference string) string {
	if reference = strings.TrimSpace(reference); message.ValidTradeNo(reference) {
		return reference
	}
	return ""
}

// amountOf reads an amount with the decimal mark of its format.
func amountOf(text, mark string) (money.Amount, error) {
	if mark != "." {
		if strings.Contains(text, ".") {
			return money.Amount{}, errors.New("has a point")
		}
		text = strings.TrimSuffix(strings.Replace(text, mark, ".", 1), ".")
	}
	return money.Read(text)
}

// one makes a line of a payment, of money that came back, or of other money that came in.
func one(tradeNo string, a money.Amount, currency string, out, reversal bool) (reconcile.Line, bool) {
	l := reconcile.Line{TradeNo: tradeNo, Amount: a, Currency: currency}
	switch {
	case out && !reversal:
		l.State = reconcile.Paid
	case !out && reversal:
		l.State = reconcile.Returned
	case !out:
		l.State = reconcile.Credit
	default: // money that had come in goes back: no payout
		return l, false
	}
	return l, true
}
