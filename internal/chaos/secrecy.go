package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"disburser/internal/audit"
)

// written adds what the programs have printed, what the back office has answered, and the journals of payctl. Commands
// stand in clear in Kafka, in Redis, in the files that people send and in the simulator's books: these are left out.
func (r *run) written(texts map[string][]byte) error {
	for _, pattern := range []string{"*.log", "answers", "state/payctl/*"} {
		names, err := filepath.Glob(filepath.Join(r.dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			if filepath.Base(name) == "paysim.log" {
				continue
			}
			if texts[name], err = os.ReadFile(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// findPayee finds a payout by a whole value of its payee, as people do it.
func (r *run) findPayee(ctx context.Context, t audit.Truth) error {
	for _, tradeNo := range slices.Sorted(maps.Keys(t.Expected.Commands)) {
		value := t.Expected.Commands[tradeNo].Payee.Reveal()["walletId"]
		if value == "" {
			continue
		}
		status, out, err := r.asked(ctx, 30*time.Second, "payctl-find", "find", "--payee", value, "--json")
		if err != nil {
			return err
		}
		if status != 0 || !strings.Contains(out, fmt.Sprintf("%q", tradeNo)) {
			r.problem("%s: payctl find --payee doesn't find it: status %d: %s", tradeNo, status, out)
		}
		if found := audit.PayeesOf(append(slices.Clip(r.lines), r.kept.payees...)).In([]byte(out)); len(found) > 0 {
			r.problem("payctl find shows payees in clear: %q", found)
		}
		return nil
	}
	return nil
}
