package decisions

import (
	"context"
	"time"

	"disburser/payout/epochs"
)

// Journal is what the keeper needs of a shard of the journal.
type Journal interface {
	Resident
	Founder
	Sharer
}

// Resident is what it needs while an epoch lasts.
type Resident interface {
	Dweller
	Observer
}

// Founder is what it needs to begin one, on whatever Redis still holds.
type Founder interface {
	Builder
	Recoverer
}

// Dweller is what it needs to live in an epoch.
type Dweller interface {
	Standing(ctx context.Context) (epochs.Standing, error)
	Believe(id string)
}

// Observer notes how far the topics were known, what identifies them, and how Redis' clock goes.
type Observer interface {
	Watermark(ctx context.Context, decisions, results map[int]int64) error
	Witness(ctx context.Context, witnesses map[string]string) error
	Clock(ctx context.Context, epoch string, own time.Time, jumped bool) (shown time.Time, vouched bool, err error)
}

// Builder is what it needs to begin one.
type Builder interface {
	Build(ctx context.Context, id, ending string, claim time.Duration) error
	Restore(ctx context.Context, id string, lease time.Duration, items []epochs.Restored) error
	OpenEpoch(ctx context.Context, o epochs.Opening) error
}

// Recoverer is what a beginning needs of what Redis still holds of the epoch before.
type Recoverer interface {
	Unsent(ctx context.Context, id string, n int) ([]epochs.Restored, error)
	Upgrade(ctx context.Context, id string, far func(converted int)) (converted int, unread []error, err error)
}

// Sharer is what the instances need to do the work of a building together.
type Sharer interface {
	Plan(ctx context.Context, id string, shards int, portions []epochs.Portion) error
	Share(ctx context.Context, id string, shards int, worker string, claim time.Duration, held *epochs.Portion) (given *epochs.Portion, all []epochs.Portion, err error)
}
