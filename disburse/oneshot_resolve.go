package disburse

import (
	"context"

	"disburser/payout/acts"
	"disburser/payout/leases"
)

// resolve ends a held payout by a person's word.
func (e *executor) resolve(_, _ context.Context, _ acts.OneShot, _ leases.Acted) attempt {
	return tryAgain
}
