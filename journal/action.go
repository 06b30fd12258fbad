package journal

import (
	"context"

	"disburser/payout/acts"
)

// NoteAction notes in the epoch which action is the latest, and with told that the decisions have it. It answers
// the latest one that is noted, which may be later, and the latest one that the decisions have.
func (j *Journal) NoteAction(ctx context.Context, p acts.Place, told bool) (latest, inDecisions acts.Place, err error) {
	flag := ""
	if told {
		flag = "1"
	}
	a, err := j.run(ctx, "action", p.Generation, p.Offset, p.ID, flag)
	if err != nil {
		return acts.Place{}, acts.Place{}, err
	}
	return acts.ParsePlace(word(a, 0)), acts.ParsePlace(word(a, 1)), nil
}
