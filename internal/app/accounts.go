package app

import (
	"context"
	"time"

	"disburser/payout"
)

const (
	// accountsAgain is the pause before payouts are counted that could not be counted yet.
	accountsAgain = time.Second

	// accountsPause stands between two pages of them: the loop goes first.
	accountsPause = 5 * time.Millisecond
)

// warnOfAccounts says once, at the start, for which merchants open payouts were sent to
// another account than the configured one. What the configured account says of them proves
// nothing.
func (a *App) warnOfAccounts(ctx context.Context) {
	for _, m := range a.merchants {
		others, unknown := a.countAccounts(ctx, m.name, m.account())
		if ctx.Err() != nil {
			return
		}
		if others > 0 {
			a.logger.Warn().Str("merchant", m.name).Int("payouts", others).
				Msg("open payouts were sent to another account (merchant_no or base_url were other ones): where this account has no record of them they are held, and none is sent again")
		}
		if unknown > 0 {
			a.logger.Warn().Str("merchant", m.name).Int("payouts", unknown).
				Msg("nobody knows to which account these open payouts were sent (by an older version, or the journal was lost): where the account has no record of them they are held, and none is sent again")
		}
	}
}

// countAccounts counts once there is an epoch in all shards.
func (a *App) countAccounts(ctx context.Context, merchant string, account payout.Account) (others, unknown int) {
	said := false
	for ; ctx.Err() == nil; sleep(ctx, accountsAgain) {
		if !a.inEpoch() {
			continue
		}
		others, unknown, err := a.shards.Accounts(ctx, int(a.partitions.Load()), merchant, account, func() { sleep(ctx, accountsPause) })
		if err == nil {
			return others, unknown
		}
		if !said && ctx.Err() == nil {
			said = true
			a.logger.Warn().Err(err).Str("merchant", merchant).Msg("payouts of other accounts not counted yet, trying again")
		}
	}
	return 0, 0
}
