package trial

import (
	"disburser/message"
	"disburser/payout"
)

// Currencies are those of the merchants that Payroll pays for: a command that leaves its
// currency out means its merchant's.
var Currencies = map[string]string{"eg-main": "EGP", "br-main": "BRL"}

// Expected is what must come of commands.
type Expected struct {
	TradeNos   map[string]string         // every payout that was ordered, and its merchant as ordered
	Commands   map[string]payout.Command // the same payouts, as first ordered
	Letters    int                       // dead letters
	Codes      map[message.Code]int      // the same, by code
	Duplicates int                       // repeats of a known payout, word for word or in other words
}

// Expect reads the commands as README describes them (Messages), in the order in which they stand.
func Expect(lines []string) Expected {
	e := Expected{TradeNos: map[string]string{}, Commands: map[string]payout.Command{}, Codes: map[message.Code]int{}}
	first := map[string]payout.Fingerprint{}
	for _, line := range lines {
		orders, err := message.Decode([]byte(line))
		if err != nil {
			e.deadLetter(codeOf(err))
			continue
		}
		for _, o := range orders {
			if o.Unreadable != nil {
				e.deadLetter(o.Unreadable.Code)
				continue
			}
			e.order(o.Command, first)
		}
	}
	return e
}

func codeOf(err error) message.Code {
	if u, ok := err.(*message.Unreadable); ok { //nolint:errorlint // Decode promises this very type
		return u.Code
	}
	return message.Malformed
}

func (e *Expected) deadLetter(code message.Code) {
	e.Letters++
	e.Codes[code]++
}

func (e *Expected) order(c payout.Command, first map[string]payout.Fingerprint) {
	if c.Currency == "" {
		c.Currency = Currencies[c.Merchant]
	}
	content := c.Fingerprint()
	switch before, known := first[c.TradeNo]; {
	case !known:
		first[c.TradeNo] = content
		e.TradeNos[c.TradeNo], e.Commands[c.TradeNo] = c.Merchant, c
	case before == content:
		e.Duplicates++
	default:
		e.deadLetter(message.Conflict)
	}
}
