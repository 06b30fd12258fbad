package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"disburser/payout"
)

// epochHolder keeps the id of the epoch that this process believes in. Without one
// every script is refused.
type epochHolder struct{ value atomic.Pointer[string] }

func (h *epochHolder) id() string {
	if id := h.value.Load(); id != nil {
		return *id
	}
	return "none"
}

// Believe makes the scripts speak for an epoch from here on.
func (j *Journal) Believe(id string) { j.epoch.value.Store(&id) }

// Standing reads what Redis holds. It believes nothing and changes nothing.
func (j *Journal) Standing(ctx context.Context) (payout.Standing, error) {
	a, err := j.runAs(ctx, "epoch", []any{""})
	if err != nil {
		return payout.Standing{}, err
	}
	fences := map[int]int64{}
	list, _ := a[8].([]any)
	for i := 0; i+1 < len(list); i += 2 {
		if name, found := strings.CutPrefix(word(list, i), "fence:"); found {
			partition, _ := strconv.Atoi(name)
			fences[partition] = number(list, i+1)
		}
	}
	return payout.Standing{
		RunID: word(a, 0), Epoch: payout.Epoch{Number: int(number(a, 1)), ID: word(a, 2)}, OpenedOn: word(a, 3), Shards: int(number(a, 4)),
		Building: word(a, 5), BuildingOn: word(a, 6), ClaimLeft: time.Duration(number(a, 7)) * time.Millisecond,
		Fences: fences,
	}, nil
}

// Build begins the building of an epoch and ends the open one, which must be ending
// ("" if none is open). From here on every script of the old epoch is refused. An
// error that wraps payout.ErrEpoch says that somebody else is at it.
func (j *Journal) Build(ctx context.Context, id, ending string, claim time.Duration) error {
	a, err := j.runAs(ctx, "build", []any{id, claim.Milliseconds(), ending})
	if err != nil {
		return err
	}
	if word(a, 0) != "1" {
		return fmt.Errorf("journal: build: %w: %s", payout.ErrEpoch, word(a, 1))
	}
	return nil
}

// OpenEpoch ends the building. fences are where the epoch's fence stands in each
// partition of the decisions, for those who join it later.
func (j *Journal) OpenEpoch(ctx context.Context, e payout.Epoch, shards int, fences map[int]int64) error {
	args := []any{e.ID, e.Number, shards}
	for partition, offset := range fences {
		args = append(args, "fence:"+strconv.Itoa(partition), offset)
	}
	_, err := j.runAs(ctx, "open", args)
	return err
}
