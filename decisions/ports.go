package decisions

import (
	"context"
	"time"

	"disburser/payout/acts"
	"disburser/payout/epochs"
)

// Journal is what the keeper needs of a shard of the journal.
type Journal interface {
	EpochUser
	EpochBeginner
	PortionQueue
}

// EpochUser is what the keeper needs of the journal while an epoch lasts.
type EpochUser interface {
	EpochReader
	EpochNotes
}

// Actions is what the keeper needs of whoever follows payout.actions.
type Actions interface {
	View() (view *acts.View, fresh bool) // what was read, and whether that is all
	Expect(p acts.Place)                 // says that an action is on record: the topic must hold it
}

// EpochBeginner is what the keeper needs of the journal to begin an epoch, on whatever Redis still
// holds.
type EpochBeginner interface {
	Rebuilder
	Leftovers
}

// EpochReader reads which epoch Redis holds. Believe says with which epoch the journal's calls are
// made from now on: Redis refuses them where another one is open.
type EpochReader interface {
	Standing(ctx context.Context) (epochs.Standing, error)
	Believe(id string)
}

// TopicNotes notes in the journal up to where the topics were read, and by which records they are recognised.
type TopicNotes interface {
	Watermark(ctx context.Context, decisions, results map[int]int64) (moved bool, err error)
	Witness(ctx context.Context, witnesses map[string]string) error
}

// EpochNotes notes too which action is the latest, and how Redis' clock goes.
type EpochNotes interface {
	TopicNotes
	NoteAction(ctx context.Context, p acts.Place, told bool) (latest, inDecisions acts.Place, err error)
	Clock(ctx context.Context, epoch string, own time.Time, jumped bool) (shown time.Time, vouched bool, err error)
}

// Rebuilder rebuilds the journal for a new epoch: Build claims the work, Restore writes what the
// topics know of payouts, OpenEpoch ends the rebuilding.
type Rebuilder interface {
	Build(ctx context.Context, id, ending string, claim time.Duration) error
	Restore(ctx context.Context, id string, lease time.Duration, items []epochs.Restored) error
	OpenEpoch(ctx context.Context, o epochs.Opening) error
}

// Leftovers is what Redis still holds of the epoch before: payouts that wait to be sent, and
// records of an older layout, which are converted.
type Leftovers interface {
	Unsent(ctx context.Context, id string, n int) ([]epochs.Restored, error)
	Upgrade(ctx context.Context, id string, far func(converted int)) (converted int, unread []error, err error)
}

// PortionQueue hands out the portions of a replay, so that several instances work on one rebuilding.
// Plan writes all portions. Share notes how far a worker is with its portion, and gives it a free
// one if it has none.
type PortionQueue interface {
	Plan(ctx context.Context, id string, shards int, portions []epochs.Portion) error
	Share(ctx context.Context, id string, shards int, worker string, claim time.Duration, had *epochs.Portion) (given *epochs.Portion, all []epochs.Portion, err error)
}
