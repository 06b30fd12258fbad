package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/replay"
	"disburser/internal/cli"
)

// letterReplay publishes dead letters again.
type letterReplay struct {
	letterChoice
	IDs   []string `arg:"" optional:"" name:"id" help:"Dead letters, as dead-letters list names them; without one all that fit. What is named may be one that would be a dead letter again, or rejected."`
	Again bool     `name:"again" help:"Also what was replayed before."`
	Yes   bool     `name:"yes" help:"Replays without asking."`
}

// Help says what may be replayed.
func (*letterReplay) Help() string {
	return "A replay publishes the original message once more, with its key, and the service judges it as any command. First a plan is shown: how many of each error_code, what is left out, and why. " +
		"At a terminal you are asked then. Elsewhere the plan is all, unless --yes is given. " +
		"A malformed message is replayed where it can be read by now, as after an upgrade. A conflict is not: its tradeNo has another content. What is too large is cut, and is not. " +
		"What was replayed is known by the command itself. So a run that was killed is completed by the same line."
}

func (*letterReplay) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl dead-letters replay", Does: "the plan; at a terminal you are asked whether to do it"},
		{Line: "payctl dead-letters replay --batch 2026-11-payroll --yes", Does: "replays what may be of a batch, without asking"},
		{Line: "payctl dead-letters replay 0-17 1-4 --yes --json", Does: "replays two, and prints what became of them"},
	}
}

// Validate is called by the parser.
func (r *letterReplay) Validate() error {
	if len(r.IDs) > 0 && len(r.query()) > 0 {
		return errors.New("name dead letters by their ids, or give --code, --batch, --since, --until: not both")
	}
	for _, id := range r.IDs {
		if _, is := api.ParseLetterID(id); !is {
			return fmt.Errorf("%s is no id of a dead letter: it has a partition and an offset, such as 0-17", cli.OneLine(id))
		}
	}
	return nil
}

// replayedAtOnce is how many dead letters one request replays.
const replayedAtOnce = 100

// Run shows the plan, and replays what may be.
func (r *letterReplay) Run(ctx context.Context, s cli.Streams) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	plan, err := r.plan(ctx, c)
	if err != nil {
		return err
	}
	var ids []string
	for _, l := range plan.Letters {
		if l.Verdict == replay.Replay {
			ids = append(ids, l.ID)
		}
	}
	r.show(s, plan)
	if yes, err := r.consent(ctx, s, len(ids)); err != nil || !yes {
		return r.ended(s, plan, err)
	}
	done, err := r.replay(ctx, c, ids)
	if err != nil {
		return r.failed(err, done.Replayed)
	}
	moved(s, done)
	for _, l := range plan.Letters { // what was left out is part of the answer
		if l.Verdict != replay.Replay {
			done.Add(l)
		}
	}
	return r.ended(s, done, nil)
}

// plan asks what would be replayed, page by page.
func (r *letterReplay) plan(ctx context.Context, c api.Client) (plan api.Replay, err error) {
	plan = api.Replay{DryRun: true, Codes: map[string]api.ReplayCounts{}, Letters: []api.ReplayedLetter{}}
	word := api.ReplayWord{DryRun: true, Again: r.Again, Code: r.Code, Batch: r.Batch, Since: pointer(r.Since.Time), Until: pointer(r.Until.Time)}
	left := slices.Collect(slices.Chunk(r.IDs, replayedAtOnce))
	for {
		if len(left) > 0 {
			word.IDs, word.AsItIs, left = left[0], true, left[1:]
		}
		page, err := postReplay(ctx, c, word)
		if err != nil {
			return plan, marked(err)
		}
		for _, l := range page.Letters {
			plan.Add(l)
		}
		if word.Cursor = page.Next; len(left) == 0 && page.Next == "" {
			return plan, nil
		}
	}
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// postReplay asks for a replay. It may take longer than other questions.
func postReplay(ctx context.Context, c api.Client, word api.ReplayWord) (api.Replay, error) {
	body, err := json.Marshal(word)
	if err != nil {
		return api.Replay{}, err
	}
	return api.Send[api.Replay](ctx, c, "/dead-letters/replay", nil, "application/json", bytes.NewReader(body))
}

// show tells the plan: counts by code, and each reason with some ids.
func (r *letterReplay) show(s cli.Streams, plan api.Replay) {
	out := s.Out
	if r.JSON {
		out = s.Err
	}
	for _, code := range slices.Sorted(maps.Keys(plan.Codes)) {
		n := plan.Codes[code]
		fmt.Fprintf(out, "%s: %d found, %d would be replayed, %d were replayed before, %d are left out\n", cli.OneLine(code), n.Found, n.Replay, n.Replayed, n.LeftOut)
	}
	type reason struct {
		verdict replay.Verdict
		text    string
	}
	ids := map[reason][]string{}
	for _, l := range plan.Letters {
		if l.Why != "" {
			at := reason{l.Verdict, l.Why}
			ids[at] = append(ids[at], l.ID)
		}
	}
	const named = 5
	for _, at := range slices.SortedFunc(maps.Keys(ids), func(a, b reason) int {
		return cmp.Or(strings.Compare(string(a.verdict), string(b.verdict)), strings.Compare(a.text, b.text))
	}) {
		all := ids[at]
		text := strings.Join(all[:min(named, len(all))], ", ")
		if len(all) > named {
			text += fmt.Sprintf(" and %d more", len(all)-named)
		}
		verb := map[replay.Verdict]string{replay.Replay: "would be replayed, but", replay.Replayed: "left alone:", replay.LeftOut: "left out:"}[at.verdict]
		sayLine(out, "%s %s %s", text, verb, at.text)
	}
}

// consent asks, if somebody can answer.
func (r *letterReplay) consent(ctx context.Context, s cli.Streams, n int) (bool, error) {
	if n == 0 {
		fmt.Fprintln(s.Err, "there is nothing to replay")
		return false, nil
	}
	if r.Yes {
		return true, nil
	}
	if file, is := stdin.(*os.File); is && !cli.Terminal(file) {
		fmt.Fprintln(s.Err, "nothing was replayed: this is the plan, and --yes does it")
		return false, nil
	}
	return confirmed(ctx, s, fmt.Sprintf("Replay %s?", count(n, "dead letter")))
}

// replay has the dead letters of the plan replayed, some at a time. What is decided otherwise meanwhile is in the answer.
func (r *letterReplay) replay(ctx context.Context, c api.Client, ids []string) (done api.Replay, err error) {
	for some := range slices.Chunk(ids, replayedAtOnce) {
		page, err := postReplay(ctx, c, api.ReplayWord{IDs: some, Again: r.Again, AsItIs: len(r.IDs) > 0})
		if err != nil {
			return done, err
		}
		for _, l := range page.Letters {
			done.Add(l)
		}
		done.Replayed += page.Replayed
	}
	return done, nil
}

// failed says what to do about a run that ended before its end.
func (r *letterReplay) failed(err error, replayed int) error {
	const again = "type the same line again: what is replayed is known, and left alone"
	if errors.Is(err, api.ErrNoAnswer) {
		return fmt.Errorf("%w; %d or more are replayed: %s", err, replayed, again)
	}
	if replayed > 0 {
		return fmt.Errorf("%w; %d were replayed before that: %s", marked(err), replayed, again)
	}
	return marked(err)
}

// ended prints what was done. What was named and isn't done is told by the exit status.
func (r *letterReplay) ended(s cli.Streams, done api.Replay, err error) error {
	if err != nil {
		return err
	}
	if r.JSON {
		err = printed(s.Out, done)
	} else if !done.DryRun {
		fmt.Fprintf(s.Out, "%s replayed\n", count(done.Replayed, "dead letter"))
	}
	leftOut := slices.ContainsFunc(done.Letters, func(l api.ReplayedLetter) bool { return l.Verdict == replay.LeftOut })
	if err == nil && leftOut && len(r.IDs) > 0 {
		return cli.Told(cli.Failed)
	}
	return err
}

// moved names what was to be replayed, and was decided otherwise meanwhile.
func moved(s cli.Streams, done api.Replay) {
	for _, l := range done.Letters {
		if l.Verdict != replay.Replay {
			sayLine(s.Err, "%s: %s", l.ID, l.Why)
		}
	}
}
