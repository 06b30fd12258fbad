package database

import (
	"context"
	"fmt"
	"strings"

	"disburser/backoffice/books"
)

// Known answers what is known of some tradeNos, by tradeNo. Those of which nothing is known are not in it.
func (b *Books) Known(ctx context.Context, tradeNos []string) (map[string]*books.Payout, error) {
	found := map[string]*books.Payout{}
	if len(tradeNos) == 0 {
		return found, nil
	}
	args, places := make([]any, len(tradeNos)), make([]string, len(tradeNos))
	for i, tradeNo := range tradeNos {
		args[i], places[i] = tradeNo, fmt.Sprintf("$%d", i+1)
	}
	rows, err := b.read.QueryContext(ctx, "SELECT trade_no, facts FROM payouts WHERE trade_no IN ("+strings.Join(places, ",")+")", args...)
	if err != nil {
		return nil, fmt.Errorf("look for %d payouts: %w", len(tradeNos), err)
	}
	return found, each(rows, func() error { return scanInto(rows, found) })
}
