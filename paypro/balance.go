package paypro

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"disburser/payout/money"
)

// Balance is a merchant's money at the provider, as decimal texts in the country's currency
// (paypro-api.md §4.4, pages */balance).
type Balance struct {
	Available string // can be paid out
	Frozen    string // reserved by the provider; "" = the answer doesn't say
	Unsettled string // not settled yet; "" = the answer doesn't say
}

// ErrRefused tells that the provider answered the balance query with an outer code other than
// 0000. It knows the call, but not this merchant, its secret or its signature.
var ErrRefused = errors.New("refused")

// Balance asks the provider for the merchant's balance (pages */balance). It makes one call,
// within the timeout of the settings. An error names the merchant and the URL. It wraps
// ErrRefused if the provider refused the call.
func (c *Client) Balance(ctx context.Context) (Balance, error) {
	b, err := c.balance(ctx)
	if err != nil {
		return Balance{}, fmt.Errorf("paypro: balance of %s from %s: %w", c.name, c.base+c.profile.paths.Balance, err)
	}
	return b, nil
}

func (c *Client) balance(ctx context.Context) (Balance, error) {
	r := c.exchange(ctx, c.balanceRequest(time.Now()), limits{})
	switch {
	case r.problem != "":
		return Balance{}, errors.New(r.problem)
	case r.status != http.StatusOK:
		return Balance{}, errors.New(describeStatus(r.status))
	}
	a, err := readAnswer(r.body)
	if err != nil {
		return Balance{}, fmt.Errorf("unreadable answer: %w", err)
	}
	if a.code != codeOK {
		return Balance{}, c.refusalOf(a)
	}
	return a.balance(c.profile.reply.available)
}

// refusalOf quotes a refusal of the provider. It masks the text before it cuts it: a cut could
// leave half of a secret, which masking would miss.
func (c *Client) refusalOf(a answer) error {
	words := oneLine(c.operatorMask.hideInText(oneLine(a.msg, maxAnswer)), maxText)
	return fmt.Errorf("%w with code %s (%s): check merchant_no, secret, salt and sign_in", ErrRefused, a.code, words)
}

// balance reads the three amounts. The pages spell the available amount in two ways
// (paypro-api.md §4.4). An answer with both spellings and two amounts is an error: nobody can
// know which one is right.
func (a answer) balance(spellings []string) (Balance, error) {
	b := Balance{
		Frozen:    a.signed("freezeAmount"),
		Unsettled: a.signed("unsettledAmount"),
	}
	for _, name := range spellings {
		amount := a.signed(name)
		switch {
		case amount == "":
		case b.Available == "":
			b.Available = amount
		case shortest(b.Available) != shortest(amount):
			return Balance{}, fmt.Errorf("the answer has %s with different amounts", strings.Join(spellings, " and "))
		}
	}
	if b.Available == "" {
		return Balance{}, fmt.Errorf("the answer has no readable %s", strings.Join(spellings, " or "))
	}
	return b, nil
}

// signed reads an amount that may be negative, "" if it can't be read.
func (a answer) signed(name string) string {
	text, _ := textOf(a.data.field(name))
	digits, negative := strings.CutPrefix(text, "-")
	amount, err := money.Read(digits)
	switch {
	case err != nil:
		return ""
	case negative:
		return "-" + amount.String()
	}
	return amount.String()
}

// shortest writes an amount without leading and trailing zeros, so that equal amounts have
// equal texts: "300." for 0300.00.
func shortest(amount string) string {
	digits, negative := strings.CutPrefix(amount, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if negative && whole+fraction != "" {
		whole = "-" + whole
	}
	return whole + "." + fraction
}
