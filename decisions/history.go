package decisions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/internal/partition"
	"disburser/payout/epochs"
)

// A rebuild relies on the topics: they must still hold what was written to them. So the
// journal and each instance note witnesses: the topics' names, and of each partition the first
// record and the latest. Where one of them is gone the history is lost: the topic was made
// anew, cut, compacted, or is another one.

const (
	// lookBackEvery is how often the witnesses are looked at, and renewed.
	lookBackEvery = 30 * time.Second

	// sure is how many times a broker must say that records are gone, sureAfter how long
	// apart. A leader that was just elected may know of fewer for a moment.
	sure      = 3
	sureAfter = 500 * time.Millisecond
)

// The two histories that a rebuild reads, as witnesses are named by.
const (
	ofDecisions = "decisions"
	ofResults   = "results"
)

// knowledge is what is known of the topics: up to where they were looked at, and witnesses.
type knowledge struct {
	decisions, results map[int]int64
	witnesses          map[string]string
	looked             time.Time // when the witnesses were looked at
}

func knowledgeOf(s epochs.Standing) knowledge {
	return knowledge{decisions: s.Decisions, results: s.Results, witnesses: s.Witnesses}
}

// chronicle is one of the two topics.
type chronicle struct {
	name   string // ofDecisions or ofResults
	topic  string
	source func(int) partition.Source
	ends   map[int]int64
}

func (k *Keeper) chronicles(m knowledge) [2]chronicle {
	return [2]chronicle{
		{ofDecisions, k.Log.topic, k.Log.source, m.decisions},
		{ofResults, k.Results, k.results, m.results},
	}
}

// Names of witnesses.
func topicField(h chronicle) string        { return "topic:" + h.name }
func firstField(h chronicle, p int) string { return "first:" + h.name + ":" + strconv.Itoa(p) }
func lastField(h chronicle, p int) string  { return "last:" + h.name + ":" + strconv.Itoa(p) }

// testimony is a witness: a record that stood at an offset.
type testimony struct {
	offset int64
	sum    string
}

func (t testimony) text() string { return strconv.FormatInt(t.offset, 10) + ":" + t.sum }

func testimonyOf(text string) (t testimony, known bool) {
	offset, sum, found := strings.Cut(text, ":")
	n, err := strconv.ParseInt(offset, 10, 64)
	return testimony{n, sum}, found && err == nil
}

// loss says why a history isn't the one that was known, "" for each that is.
type loss struct{ decisions, results string }

func (l loss) any() bool { return l != loss{} }

func (l loss) String() string {
	return strings.Trim(l.decisions+"; "+l.results, "; ")
}

// missing looks for what is known of the topics. Whoever can't be asked is an error.
func (k *Keeper) missing(ctx context.Context, m knowledge) (l loss, err error) {
	for range sure {
		if l, err = k.missingNow(ctx, m); err != nil || !l.any() {
			return l, err
		}
		sleep(ctx, sureAfter)
	}
	return l, ctx.Err()
}

func (k *Keeper) missingNow(ctx context.Context, m knowledge) (l loss, err error) {
	both := k.chronicles(m)
	if l.decisions, err = k.gone(ctx, both[0], m.witnesses); err != nil {
		return l, err
	}
	l.results, err = k.gone(ctx, both[1], m.witnesses)
	return l, err
}

// gone says what of a history is gone, "" if all that is known of it is there. What
// retention has deleted is no longer known.
func (k *Keeper) gone(ctx context.Context, h chronicle, witnesses map[string]string) (why string, err error) {
	if topic := witnesses[topicField(h)]; topic != "" && topic != h.topic {
		return fmt.Sprintf("kafka.topics.%s was %s, and is %s", h.name, topic, h.topic), nil
	}
	if len(h.ends) == 0 {
		return "", nil
	}
	count, err := partition.Count(ctx, k.Log.client, h.topic)
	if err != nil {
		return "", err
	}
	if count == 0 { // it is being made anew, or a broker doesn't know it yet
		return "", fmt.Errorf("%s has no partitions", h.topic)
	}
	for _, p := range slices.Sorted(maps.Keys(h.ends)) {
		if p >= count {
			return fmt.Sprintf("%s has %d partitions, and had more", h.topic, count), nil
		}
		start, end, err := h.source(p).Bounds(ctx)
		if err != nil {
			return "", err
		}
		if end < h.ends[p] {
			return fmt.Sprintf("%s/%d ends at offset %d, and was seen up to %d", h.topic, p, end, h.ends[p]), nil
		}
		for _, field := range []string{firstField(h, p), lastField(h, p)} {
			t, known := testimonyOf(witnesses[field])
			if !known || t.offset < start {
				continue
			}
			r, found, err := h.source(p).At(ctx, t.offset)
			if err != nil {
				return "", err
			}
			if !found || r.Sum() != t.sum {
				return fmt.Sprintf("%s/%d holds another record at offset %d than it did, or none", h.topic, p, t.offset), nil
			}
		}
	}
	return "", nil
}

// observe answers witnesses of what the topics hold now, up to the given ends: the old
// ones where they are still good. Only what differs from these is answered in changed.
func (k *Keeper) observe(ctx context.Context, old map[string]string, decisions, results map[int]int64) (all, changed map[string]string, err error) {
	all, changed = maps.Clone(old), map[string]string{}
	if all == nil {
		all = map[string]string{}
	}
	set := func(field, value string) {
		if all[field] != value {
			all[field], changed[field] = value, value
		}
	}
	for _, h := range k.chronicles(knowledge{decisions: decisions, results: results}) {
		set(topicField(h), h.topic)
		for p, end := range h.ends {
			start, _, err := h.source(p).Bounds(ctx)
			if err != nil {
				return nil, nil, err
			}
			if start >= end {
				continue
			}
			if t, known := testimonyOf(all[firstField(h, p)]); !known || t.offset < start {
				err = testify(ctx, h.source(p), start, func(text string) { set(firstField(h, p), text) })
			}
			if t, known := testimonyOf(all[lastField(h, p)]); err == nil && (!known || t.offset != end-1) {
				err = testify(ctx, h.source(p), end-1, func(text string) { set(lastField(h, p), text) })
			}
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return all, changed, nil
}

func testify(ctx context.Context, source partition.Source, offset int64, note func(text string)) error {
	r, found, err := source.At(ctx, offset)
	if found {
		note(testimony{offset, r.Sum()}.text())
	}
	return err
}

// see notes witnesses of what the topics hold now, in this instance and in the journal.
func (k *Keeper) see(ctx context.Context, old map[string]string, decisions, results map[int]int64) error {
	all, changed, err := k.observe(ctx, old, decisions, results)
	if err != nil {
		return err
	}
	k.known.witnesses, k.known.looked = all, time.Now()
	if len(changed) == 0 {
		return nil
	}
	return k.Journal.Witness(ctx, changed)
}

// lookBack ends the epoch if the topics, which now end at the given places, have lost
// what they are known to have held.
func (k *Keeper) lookBack(ctx context.Context, looked, results, decisionEnds, resultEnds map[int]int64) error {
	shorter := func(known, ends map[int]int64) bool {
		for p, end := range known {
			if ends[p] < end {
				return true
			}
		}
		return false
	}
	if time.Since(k.known.looked) < lookBackEvery && !shorter(looked, decisionEnds) && !shorter(results, resultEnds) {
		return nil
	}
	gone, err := k.missing(ctx, knowledge{decisions: looked, results: results, witnesses: k.known.witnesses})
	switch {
	case err != nil:
		return err
	case gone.any():
		return fmt.Errorf("decisions: %w: history is lost: %s", epochs.ErrOver, gone)
	}
	return k.see(ctx, k.known.witnesses, decisionEnds, resultEnds)
}
