package message

import "strings"

// Problem is one thing that is wrong with a payout. It is free of people's data.
type Problem struct {
	Field string // by its name in a command: amount, payee.walletId
	Text  string // goes on after the field: "is missing"
}

func (p Problem) String() string { return p.Field + " " + p.Text }

// Reason puts problems into the one line that a rejected payout gives as its reason; "" for none.
func Reason(problems []Problem) string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return strings.Join(texts, "; ")
}
