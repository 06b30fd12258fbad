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
	// checkHistoryEvery is how often the witnesses are compared with the topics, and renewed.
	checkHistoryEvery = 30 * time.Second

	// goneChecks is how many times a broker must say that records are gone, goneCheckPause is
	// the pause between the checks. A leader that was just elected may know of fewer for a moment.
	goneChecks     = 3
	goneCheckPause = 500 * time.Millisecond
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

// historyTopic is one of the two topics, and where its partitions ended when that was last noted.
type historyTopic struct {
	name   string // ofDecisions or ofResults
	topic  string
	source func(int) partition.Source
	ends   map[int]int64
}

func (k *Keeper) historyTopics(m knowledge) [2]historyTopic {
	return [2]historyTopic{
		{ofDecisions, k.Log.topic, k.Log.source, m.decisions},
		{ofResults, k.Results, k.results, m.results},
	}
}

// Names of witnesses.
func topicField(h historyTopic) string        { return "topic:" + h.name }
func firstField(h historyTopic, p int) string { return "first:" + h.name + ":" + strconv.Itoa(p) }
func lastField(h historyTopic, p int) string  { return "last:" + h.name + ":" + strconv.Itoa(p) }

// witness is a record of a topic: the offset at which it stood, and a checksum.
type witness struct {
	offset int64
	sum    string
}

func (t witness) text() string { return strconv.FormatInt(t.offset, 10) + ":" + t.sum }

func parseWitness(text string) (t witness, known bool) {
	offset, sum, found := strings.Cut(text, ":")
	n, err := strconv.ParseInt(offset, 10, 64)
	return witness{n, sum}, found && err == nil
}

// loss says for each topic why its history isn't the one that was known, "" if it is.
type loss struct{ decisions, results string }

func (l loss) any() bool { return l != loss{} }

func (l loss) String() string {
	return strings.Trim(l.decisions+"; "+l.results, "; ")
}

// missing says what is gone of the topics. It is an error if a broker can't be asked.
func (k *Keeper) missing(ctx context.Context, m knowledge) (l loss, err error) {
	for range goneChecks {
		if l, err = k.missingNow(ctx, m); err != nil || !l.any() {
			return l, err
		}
		sleep(ctx, goneCheckPause)
	}
	return l, ctx.Err()
}

func (k *Keeper) missingNow(ctx context.Context, m knowledge) (l loss, err error) {
	both := k.historyTopics(m)
	if l.decisions, err = k.gone(ctx, both[0], m.witnesses); err != nil {
		return l, err
	}
	l.results, err = k.gone(ctx, both[1], m.witnesses)
	return l, err
}

// gone says what is gone of a topic, "" if everything known of it is still there. What retention
// has deleted doesn't count as known.
func (k *Keeper) gone(ctx context.Context, h historyTopic, witnesses map[string]string) (why string, err error) {
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
			t, known := parseWitness(witnesses[field])
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
	for _, h := range k.historyTopics(knowledge{decisions: decisions, results: results}) {
		set(topicField(h), h.topic)
		for p, end := range h.ends {
			start, _, err := h.source(p).Bounds(ctx)
			if err != nil {
				return nil, nil, err
			}
			if start >= end {
				continue
			}
			if t, known := parseWitness(all[firstField(h, p)]); !known || t.offset < start {
				err = noteRecord(ctx, h.source(p), start, func(text string) { set(firstField(h, p), text) })
			}
			if t, known := parseWitness(all[lastField(h, p)]); err == nil && (!known || t.offset != end-1) {
				err = noteRecord(ctx, h.source(p), end-1, func(text string) { set(lastField(h, p), text) })
			}
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return all, changed, nil
}

// noteRecord passes on the witness at an offset, if a record stands there.
func noteRecord(ctx context.Context, source partition.Source, offset int64, note func(text string)) error {
	r, found, err := source.At(ctx, offset)
	if found {
		note(witness{offset, r.Sum()}.text())
	}
	return err
}

// noteWitnesses notes witnesses of what the topics hold now, in this instance and in the journal.
func (k *Keeper) noteWitnesses(ctx context.Context, old map[string]string, decisions, results map[int]int64) error {
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

// checkHistory ends the epoch if the topics, which now end at the given places, have lost
// what they are known to have held.
func (k *Keeper) checkHistory(ctx context.Context, looked, results, decisionEnds, resultEnds map[int]int64) error {
	shorter := func(known, ends map[int]int64) bool {
		for p, end := range known {
			if ends[p] < end {
				return true
			}
		}
		return false
	}
	if time.Since(k.known.looked) < checkHistoryEvery && !shorter(looked, decisionEnds) && !shorter(results, resultEnds) {
		return nil
	}
	gone, err := k.missing(ctx, knowledge{decisions: looked, results: results, witnesses: k.known.witnesses})
	switch {
	case err != nil:
		return err
	case gone.any():
		return fmt.Errorf("decisions: %w: history is lost: %s", epochs.ErrOver, gone)
	}
	return k.noteWitnesses(ctx, k.known.witnesses, decisionEnds, resultEnds)
}
