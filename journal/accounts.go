package journal

import (
	"context"

	"disburser/payout"
)

// counted is how many payouts one call of accounts looks at.
const counted = 500

// Accounts counts a merchant's open payouts of one partition that may have been sent, but
// not to the given account: to another one, or nobody knows to which. What ends meanwhile
// may count twice. between is called between two pages.
func (j *Journal) Accounts(ctx context.Context, partition int, merchant string, mine payout.Account, between func()) (others, unknown int, err error) {
	left := ""
	for {
		a, err := j.run(ctx, "accounts", partition, merchant, account(mine), left, counted)
		if err != nil {
			return 0, 0, err
		}
		others, unknown = others+int(number(a, 1)), unknown+int(number(a, 2))
		if left = word(a, 0); left == "0" {
			return others, unknown, nil
		}
		between()
	}
}
