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
	open := a.merchantsOpen(ctx)
	for _, m := range a.merchants {
		if !open[m.name] {
			continue
		}
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

// merchantsOpen answers which merchants have open payouts: only theirs are looked at.
func (a *App) merchantsOpen(ctx context.Context) map[string]bool {
	open := map[string]bool{}
	a.onceInEpoch(ctx, "", func() error {
		c, err := a.shards.Count(ctx, nil)
		for merchant, states := range c.States {
			for _, n := range states {
				open[merchant] = open[merchant] || n > 0
			}
		}
		return err
	})
	return open
}

func (a *App) countAccounts(ctx context.Context, merchant string, account payout.Account) (others, unknown int) {
	a.onceInEpoch(ctx, merchant, func() (err error) {
		others, unknown, err = a.shards.Accounts(ctx, int(a.partitions.Load()), merchant, account, func() { sleep(ctx, accountsPause) })
		return err
	})
	return others, unknown
}

// onceInEpoch does something once there is an epoch in all shards, again until it succeeds.
func (a *App) onceInEpoch(ctx context.Context, merchant string, do func() error) {
	said := false
	for ; ctx.Err() == nil; sleep(ctx, accountsAgain) {
		if !a.inEpoch() {
			continue
		}
		err := do()
		if err == nil {
			return
		}
		if !said && ctx.Err() == nil {
			said = true
			a.logger.Warn().Err(err).Str("merchant", merchant).Msg("payouts of other accounts not counted yet, trying again")
		}
	}
}
