package actions

import (
	"context"

	"disburser/payout/acts"
)

// readTries is how often the topic is tried to be read once.
const readTries = 5

// ReadOnce reads the topic to its end, as it is now, and answers what is in force. After an error the view is what was
// in force by what could be read.
func ReadOnce(ctx context.Context, c Config) (*acts.View, error) {
	f := New(c)
	var err error
	for range readTries {
		if err = f.look(ctx); err == nil || ctx.Err() != nil {
			break
		}
		pause(ctx, leastPause)
	}
	view, _ := f.View()
	return view, err
}
