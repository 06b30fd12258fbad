package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout/epochs"
)

// Plan notes the portions of the building under id. Share hands them out to instances with the
// same number of shards and the same window.
func (j *Journal) Plan(ctx context.Context, id string, shards int, portions []epochs.Portion) error {
	args := []any{id, j.settings(shards)}
	for _, p := range portions {
		args = append(args, portionName(p), text(p))
	}
	_, err := j.runAs(ctx, "plan", args)
	return err
}

// Share gives a worker of the building under id a portion to work off; nil if there is none to
// have now. all are all portions.
//
// had is the portion that the worker has, as far as it has come, nil if none. It stays the
// worker's for claim, unless it is done, or was given to somebody else because the worker was
// too slow.
//
// A worker that calls again after a lost reply is given the same one.
func (j *Journal) Share(ctx context.Context, id string, shards int, worker string, claim time.Duration, had *epochs.Portion) (given *epochs.Portion, all []epochs.Portion, err error) {
	name, became, done := "", "", ""
	if had != nil {
		name, became = portionName(*had), text(*had)
		if had.Done {
			done = "1"
		}
	}
	a, err := j.runAs(ctx, "share", []any{id, j.settings(shards), worker, claim.Milliseconds(), name, became, done})
	if err != nil {
		return nil, nil, err
	}
	for i := 1; i+2 < len(a); i += 3 {
		p, err := portionOf(word(a, i), word(a, i+2))
		if err != nil {
			return nil, nil, err
		}
		p.Done = word(a, i+1) == "d"
		all = append(all, p)
		if word(a, i) == word(a, 0) {
			given = &p
		}
	}
	return given, all, nil
}

// settings names what all workers of a rebuild must share. The layout at its end shuts out
// versions that would lose what a portion says.
func (j *Journal) settings(shards int) string {
	return fmt.Sprintf("%d/%d/layout %d", shards, j.window.Milliseconds(), epochs.Layout)
}

// portionName begins with r or d: share.lua hands out results first.
func portionName(p epochs.Portion) string {
	if p.Decisions {
		return "decisions:" + strconv.Itoa(p.Partition)
	}
	return "results:" + strconv.Itoa(p.Partition)
}

func portionOf(name, became string) (p epochs.Portion, err error) {
	if err := json.Unmarshal([]byte(became), &p); err != nil {
		return p, fmt.Errorf("journal: share: the portion %s can't be read: %w: written by another version?", name, err)
	}
	kind, number, _ := strings.Cut(name, ":")
	p.Decisions = kind == "decisions"
	p.Partition, err = strconv.Atoi(number)
	return p, err
}

func text(p epochs.Portion) string {
	b, err := json.Marshal(p)
	if err != nil { // texts and numbers only: can't fail
		panic(fmt.Sprintf("journal: encode a portion: %v", err))
	}
	return string(b)
}
