package journal

import (
	"context"
	"fmt"
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

// Standing is what a Redis holds of epochs.
type Standing struct {
	RunID      string // of the server that answers
	Number     int    // of the last epoch, for people
	ID         string // of the open epoch, "" if none is open
	OpenedOn   string // the run id of the server on which it was opened
	Shards     int    // stored with the epoch
	Building   string // the id of an epoch that is being built, "" if none
	BuildingOn string
	ClaimLeft  time.Duration
}

// Open tells that the standing's epoch is open on the server that answers.
func (s Standing) Open() bool { return s.ID != "" && s.OpenedOn == s.RunID }

// Standing reads what Redis holds. It believes nothing and changes nothing.
func (j *Journal) Standing(ctx context.Context) (Standing, error) {
	a, err := j.runAs(ctx, "epoch", []any{""})
	if err != nil {
		return Standing{}, err
	}
	return Standing{
		RunID: text(a, 0), Number: int(number(a, 1)), ID: text(a, 2), OpenedOn: text(a, 3), Shards: int(number(a, 4)),
		Building: text(a, 5), BuildingOn: text(a, 6), ClaimLeft: time.Duration(number(a, 7)) * time.Millisecond,
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
	if text(a, 0) != "1" {
		return fmt.Errorf("journal: build: %w: %s", payout.ErrEpoch, text(a, 1))
	}
	return nil
}

// OpenEpoch ends the building.
func (j *Journal) OpenEpoch(ctx context.Context, id string, number, shards int) error {
	_, err := j.runAs(ctx, "open", []any{id, number, shards})
	return err
}
