package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/epochs"
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

// Standing reads what Redis holds. It believes nothing and changes nothing. A journal with
// another window is an error.
func (j *Journal) Standing(ctx context.Context) (epochs.Standing, error) {
	a, err := j.runAs(ctx, "epoch", []any{""})
	if err != nil {
		return epochs.Standing{}, err
	}
	fields, marks := pairs(a, 8), pairs(a, 9)
	s := epochs.Standing{
		RunID: word(a, 0), Epoch: epochs.Epoch{Number: int(number(a, 1)), ID: word(a, 2)}, OpenedOn: word(a, 3), Shards: int(number(a, 4)),
		Building: word(a, 5), BuildingOn: word(a, 6), ClaimLeft: time.Duration(number(a, 7)) * time.Millisecond,
		Fences: map[int]int64{}, Was: fields["was"], Decisions: map[int]int64{}, Results: map[int]int64{}, Witnesses: map[string]string{},
	}
	if s.Layout, err = layoutOf(fields); err != nil {
		return epochs.Standing{}, err
	}
	// The keys of the dedup window are named by its length. With another one nothing would be
	// found, and what was paid would be paid again.
	window := fields["dedup_window"]
	if window == "" && s.Layout == 1 {
		window = onlyNumber(fields["window"]) // else it is what forOlder says
	}
	if own := strconv.FormatInt(j.window.Milliseconds(), 10); window != "" && window != own {
		return epochs.Standing{}, fmt.Errorf("journal: it remembers in windows of %s ms, redis.dedup_window is %s ms: set it back, or let every payout end and take another redis.namespace", window, own)
	}
	s.Whole = s.Was != "" && fields["was_on"] == s.Was+" "+s.RunID
	s.Now, s.ClockJumped = instant(a, 10), fields["clock_jumped"] != ""
	s.Action = acts.ParsePlace(fields["action"])
	s.ClockFrom, s.ClockUntil = instantOf(fields["clock_from"]), instantOf(fields["clock_until"])
	spread(fields, "fence:", s.Fences)
	spread(marks, "decisions:", s.Decisions)
	spread(marks, "results:", s.Results)
	for name, value := range marks {
		if name, is := strings.CutPrefix(name, witness); is {
			s.Witnesses[name] = value
		}
	}
	return s, nil
}

// onlyNumber answers a text that is a number, "" for any other one.
func onlyNumber(text string) string {
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return ""
	}
	return text
}

// layoutOf reads the layout of the records. A layout that this version doesn't know is an error,
// and so is a layout that a newer version has begun to convert them to.
func layoutOf(epoch map[string]string) (int, error) {
	layout := 1 // it had no version
	if len(epoch) == 0 {
		layout = epochs.Layout
	}
	for _, name := range []string{"building_layout", "layout"} {
		text, known := epoch[name]
		if !known {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n > epochs.Layout {
			return 0, fmt.Errorf("journal: %w: its records are of layout %q, or being converted to it, this version knows %d", epochs.ErrNewerLayout, text, epochs.Layout)
		}
		if name == "layout" {
			layout = n
		}
	}
	return layout, nil
}

// forOlder stands where versions that know only layout 1 read the dedup window. They find
// another one than theirs, say so and stay out. They print it before the unit.
func (j *Journal) forOlder() string {
	return fmt.Sprintf("%d (layout %d, of a newer version of the disburser: update this one)", j.window.Milliseconds(), epochs.Layout)
}

// Clock stamps, for the epoch of the given id, within which bounds Redis' clock is believed
// from here on. own is the caller's time, read before; jumped says that the caller has seen
// Redis' clock jump. It answers what Redis' clock shows, and whether own vouches for it.
func (j *Journal) Clock(ctx context.Context, epoch string, own time.Time, jumped bool) (shown time.Time, vouched bool, err error) {
	flag := ""
	if jumped {
		flag = "1"
	}
	a, err := j.runAs(ctx, "clock", []any{epoch, own.UnixMilli(), flag})
	return instant(a, 1), word(a, 0) == "1", err
}

func instantOf(text string) time.Time {
	ms, _ := strconv.ParseInt(text, 10, 64)
	return timeOf(ms)
}

// pairs reads the list at i of an answer as fields and values.
func pairs(answer []any, i int) map[string]string {
	list, _ := answer[i].([]any)
	all := make(map[string]string, len(list)/2)
	for k := 0; k+1 < len(list); k += 2 {
		all[word(list, k)] = word(list, k+1)
	}
	return all
}

// spread takes the fields of one kind, by partition.
func spread(fields map[string]string, prefix string, into map[int]int64) {
	for name, value := range fields {
		if text, found := strings.CutPrefix(name, prefix); found {
			partition, _ := strconv.Atoi(text)
			into[partition], _ = strconv.ParseInt(value, 10, 64)
		}
	}
}

// Build begins the building of an epoch and ends the open one, which must be ending
// ("" if none is open). From here on every script of the old epoch is refused. An
// error that wraps epochs.ErrOver says that somebody else is at it.
func (j *Journal) Build(ctx context.Context, id, ending string, claim time.Duration) error {
	a, err := j.runAs(ctx, "build", []any{id, claim.Milliseconds(), ending, j.forOlder()})
	if err != nil {
		return err
	}
	if word(a, 0) != "1" {
		return fmt.Errorf("journal: build: %w: %s", epochs.ErrOver, word(a, 1))
	}
	return nil
}

// OpenEpoch ends the building; refused unless each of its portions is done.
func (j *Journal) OpenEpoch(ctx context.Context, o epochs.Opening) error {
	reach := ""
	if !o.Reach.IsZero() {
		reach = strconv.FormatInt(o.Reach.UnixMilli(), 10)
	}
	args := []any{o.Epoch.ID, o.Epoch.Number, o.Shards, reach, o.Portions, j.window.Milliseconds(), o.Action.Text(), len(o.Fences) + 1}
	args = append(append(args, "actions", o.Actions), spreadOut("fence:", o.Fences)...)
	if o.Anew {
		args = append(args, "anew", 1)
	}
	args = append(args, spreadOut("decisions:", o.Decisions)...)
	args = append(args, spreadOut("results:", o.Results)...)
	_, err := j.runAs(ctx, "open", withWitnesses(args, o.Witnesses))
	return err
}

// witness begins the names of the fields, beside the watermarks, that say what stood in
// the topics. Versions that don't know them pass them over.
const witness = "witness:"

func withWitnesses(args []any, witnesses map[string]string) []any {
	for name, value := range witnesses {
		args = append(args, witness+name, value)
	}
	return args
}

func spreadOut(prefix string, offsets map[int]int64) []any {
	var args []any
	for partition, offset := range offsets {
		args = append(args, prefix+strconv.Itoa(partition), offset)
	}
	return args
}

// Watermark notes up to where the topics hold nothing that this Redis hasn't known
// before; it never goes back. It answers false while it must stay: an end by a person stands undecided.
func (j *Journal) Watermark(ctx context.Context, decisions, results map[int]int64) (moved bool, err error) {
	a, err := j.run(ctx, "watermark", append(spreadOut("decisions:", decisions), spreadOut("results:", results)...)...)
	return err == nil && number(a, 0) == 1, err
}

// Witness notes what stands in the topics, for Standing to answer.
func (j *Journal) Witness(ctx context.Context, witnesses map[string]string) error {
	_, err := j.run(ctx, "watermark", withWitnesses(nil, witnesses)...)
	return err
}

// Unsent answers up to n payouts of the building under id that wait to be sent now.
func (j *Journal) Unsent(ctx context.Context, id string, n int) ([]epochs.Restored, error) {
	a, err := j.runAs(ctx, "unsent", []any{id, n})
	if err != nil {
		return nil, err
	}
	var all []epochs.Restored
	for i := 0; i+2 < len(a); i += 3 {
		all = append(all, epochs.Restored{
			Kind: epochs.WasDecided, TradeNo: word(a, i), Fingerprint: payout.Fingerprint(word(a, i+1)), Merchant: word(a, i+2),
		})
	}
	return all, nil
}

// byPerson is how restore.lua is told of an end by a person's word, for epochs.WasEnded.
const byPerson = "B"

// Restore puts what a replay learned into the journal of the epoch that is being built under
// id. lease is the longest of the fleet: until then a decided send may still leave.
func (j *Journal) Restore(ctx context.Context, id string, lease time.Duration, items []epochs.Restored) error {
	for len(items) > 0 {
		part := items[:min(chunk, len(items))]
		items = items[len(part):]
		args := make([]any, 0, 3+9*len(part))
		args = append(args, id, j.window.Milliseconds(), lease.Milliseconds())
		for _, r := range part {
			at := r.Time
			if r.Kind == epochs.WasAnnounced || r.Kind == epochs.WasEnded {
				at = r.Seen
			}
			became := progress{Reason: r.Reason, Settled: millis(r.Time), By: r.By, ConfirmedBy: r.ConfirmedBy, Action: r.Action}
			kind := string(r.Kind)
			switch {
			case r.Kind == epochs.WasHeld:
				became = progress{Reason: r.Reason, Held: millis(r.Time), Forgotten: true}
			case r.Kind == epochs.WasEnded && r.By != "":
				kind = byPerson
			}
			args = append(args, kind, r.TradeNo, bucket(r.TradeNo), string(r.Fingerprint), r.Merchant, string(r.State), millis(at), account(r.Account), became.text())
		}
		if _, err := j.runAs(ctx, "restore", args); err != nil {
			return err
		}
		if err := j.decided(ctx, id, part); err != nil {
			return err
		}
	}
	return nil
}
