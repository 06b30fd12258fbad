package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"disburser/backoffice/api"
	"disburser/backoffice/files"
	"disburser/internal/cli"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/money"
)

// many are the flags of a word about many payouts.
type many struct {
	From  string `name:"from" placeholder:"FILE" help:"Says it of each tradeNo of this file: one a line, a table, or JSON lines; - reads stdin."`
	Where string `name:"where" placeholder:"merchant=M,state=S,…" help:"Says it of each payout that fits: merchant, batch, state, and reason, which is a part of the text."`
	Yes   bool   `name:"yes" help:"Of many: doesn't ask."`
}

// manyAtOnce is how many actions of one run wait for their outcomes at the same time.
const manyAtOnce = 8

// frozen is a payout as it was when the list was shown.
type frozen struct {
	TradeNo  string `json:"tradeNo"`
	State    string `json:"state"`
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// step is what has come of one payout of a run.
type step struct {
	TradeNo string `json:"tradeNo"`
	ID      string `json:"id,omitempty"`     // of the action, once it is said
	Result  string `json:"result,omitempty"` // once nothing more comes: done, refused, expired, moved, said, or waits for a person
	Detail  string `json:"detail,omitempty"`
}

// chosen tells whether one payout or batch is meant, or many. It refuses both and none.
func (m many) chosen(one string) (isMany bool, err error) {
	n := 0
	for _, text := range []string{one, m.From, m.Where} {
		if text != "" {
			n++
		}
	}
	if n != 1 {
		return false, cli.Usage(errors.New("name one, or many by --from FILE or --where: one of the three"))
	}
	return one == "", nil
}

// doMany says a word about many payouts. Its scope is filled in for each.
func (o *once) doMany(ctx context.Context, s cli.Streams, m many, w api.Word) error {
	w.Reason = o.Reason
	trial := w
	trial.Scope = "payout:T"
	if err := readable(trial); err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	input, err := m.input()
	if err != nil {
		return err
	}
	j, err := openRun(c.URL, w, m.Where, input)
	if err != nil {
		return err
	}
	defer j.close()
	if j.list == nil {
		list, err := m.freeze(ctx, c, w, input)
		if err != nil {
			return err
		}
		if yes, err := m.consent(ctx, s, w, list); err != nil || !yes {
			return err
		}
		if err := j.begin(list); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.Err, "a run of this was stopped: it goes on with the list that was shown then, %d of %s are left (%s)\n", len(j.left()), count(len(j.list), "payout"), j.name)
	}
	return o.run(ctx, s, c, w, j)
}

// input is the file of --from.
func (m many) input() ([]byte, error) {
	switch m.From {
	case "":
		return nil, nil
	case "-":
		if !m.Yes {
			return nil, cli.Usage(errors.New("--from - needs --yes: stdin can't answer too"))
		}
		return io.ReadAll(stdin)
	}
	text, err := os.ReadFile(m.From)
	if err != nil {
		return nil, cli.Setup(err)
	}
	return text, nil
}

// freeze lists the payouts that are meant, as they are now.
func (m many) freeze(ctx context.Context, c api.Client, w api.Word, input []byte) (list []frozen, err error) {
	if m.Where != "" {
		query, reason, err := parseWhere(m.Where)
		if err != nil {
			return nil, cli.Usage(err)
		}
		if query.Get("state") == "" && w.Kind == string(acts.Resolve) {
			query.Set("state", payout.StateHeld.String())
		}
		for p, err := range c.Each(ctx, query) {
			if err != nil {
				return nil, marked(err)
			}
			if strings.Contains(strings.ToLower(p.Reason), strings.ToLower(reason)) {
				list = append(list, frozen{p.TradeNo, p.State, p.Amount, p.Currency})
			}
		}
		return list, nil
	}
	tradeNos, err := tradeNosOf(input)
	if err != nil {
		return nil, cli.Setup(fmt.Errorf("read %s: %w", m.From, err))
	}
	for _, tradeNo := range tradeNos {
		d, err := api.Get[api.PayoutDetail](ctx, c, "/payouts/"+url.PathEscape(tradeNo), nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tradeNo, marked(err))
		}
		list = append(list, frozen{d.TradeNo, d.State, d.Amount, d.Currency})
	}
	return list, nil
}

// tradeNosOf reads a list with one tradeNo a line, a table, or JSON lines. Each counts once.
func tradeNosOf(input []byte) (all []string, err error) {
	first, _, _ := bytes.Cut(input, []byte("\n"))
	if text := strings.TrimSpace(string(first)); text == "tradeNo" || !message.ValidTradeNo(text) {
		all, err = files.TradeNos(bytes.NewReader(input))
	} else {
		lines := bufio.NewScanner(bytes.NewReader(input))
		for number := 1; lines.Scan() && err == nil; number++ {
			text := strings.TrimSpace(lines.Text())
			if text != "" && !message.ValidTradeNo(text) {
				err = fmt.Errorf("line %d is no tradeNo", number)
			} else if text != "" {
				all = append(all, text)
			}
		}
		err = errors.Join(err, lines.Err())
	}
	known := map[string]bool{}
	return slices.DeleteFunc(all, func(tradeNo string) bool {
		again := known[tradeNo]
		known[tradeNo] = true
		return again
	}), err
}

// parseWhere reads merchant=M,state=S,reason=TEXT. A comma in a reason stays, unless the name of a field follows it.
func parseWhere(text string) (query url.Values, reason string, err error) {
	query = url.Values{}
	last := ""
	for part := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		switch known := slices.Contains([]string{"merchant", "batch", "state", "reason"}, name); {
		case found && known && query.Has(name):
			return nil, "", fmt.Errorf("--where: %s stands twice", name)
		case found && known:
			query.Set(name, value)
			last = name
		case last == "reason":
			query.Set(last, query.Get(last)+","+part)
		default:
			return nil, "", fmt.Errorf("--where: %q is none of merchant=, batch=, state=, reason=", cli.OneLine(part))
		}
	}
	for name, values := range query {
		if values[0] == "" {
			return nil, "", fmt.Errorf("--where: %s has no value", name)
		}
	}
	if state := query.Get("state"); state != "" {
		if _, known := api.StateNamed(state); !known {
			return nil, "", fmt.Errorf("--where: there is no state %q", cli.OneLine(state))
		}
	}
	reason = query.Get("reason")
	query.Del("reason")
	return query, reason, nil
}

// consent shows the list with count and sum, and asks.
func (m many) consent(ctx context.Context, s cli.Streams, w api.Word, list []frozen) (bool, error) {
	if len(list) == 0 {
		return false, errors.New("no payout fits: nothing was said")
	}
	sums := map[string]*money.Sum{}
	for _, f := range list {
		fmt.Fprintf(s.Err, "%s\t%s\t%s\n", cli.OneLine(f.TradeNo), cli.OneLine(f.State), cli.OneLine(f.Amount+" "+f.Currency))
		addTo(sums, f.Currency, f.Amount)
	}
	text := strings.TrimSpace(w.Kind + map[bool]string{true: " as " + w.As}[w.As != ""] + map[bool]string{true: " by force"}[w.Force])
	text += sumsText(sums)
	if m.Yes {
		sayLine(s.Err, "%s: %s", count(len(list), "payout"), text)
		return true, nil
	}
	return confirmed(ctx, s, fmt.Sprintf("%s: %s?", count(len(list), "payout"), text))
}

// addTo adds an amount that is known.
func addTo(sums map[string]*money.Sum, currency, amount string) {
	a, err := money.Read(amount)
	if err != nil {
		return
	}
	if sums[currency] == nil {
		sums[currency] = &money.Sum{}
	}
	sums[currency].Add(a)
}

// sumsText goes behind a count.
func sumsText(sums map[string]*money.Sum) (text string) {
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		text += fmt.Sprintf(", %s %s in sum", sums[currency].String(), currency)
	}
	return text
}

// run says the word about each payout that is left, a few at a time. This goroutine alone writes the journal and prints.
func (o *once) run(ctx context.Context, s cli.Streams, c api.Client, w api.Word, j *runJournal) error {
	type item struct {
		frozen
		id string // of the action, where it was said before
	}
	work, steps := make(chan item), make(chan step)
	var group sync.WaitGroup
	for range manyAtOnce {
		group.Go(func() {
			for f := range work {
				o.one(ctx, c, w, f.frozen, f.id, steps)
			}
		})
	}
	var left []item // before anything is noted
	for _, f := range j.left() {
		left = append(left, item{f, j.said[f.TradeNo]})
	}
	go func() {
		defer close(steps)
		defer group.Wait()
		defer close(work)
		for _, f := range left {
			select {
			case work <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	var failed error
	trouble := ""
	for st := range steps {
		if st.ID != "" || st.Result != "" {
			failed = errors.Join(failed, j.note(st))
		}
		if st.Result == "" {
			if st.Detail != "" && st.Detail != trouble {
				trouble = st.Detail
				sayLine(s.Err, "%s: %s", st.TradeNo, trouble)
			}
			continue
		}
		if o.JSON {
			failed = errors.Join(failed, printed(s.Out, st))
		} else {
			fmt.Fprintln(s.Out, strings.TrimSpace(strings.Join([]string{cli.OneLine(st.TradeNo), cli.OneLine(st.Result), cli.OneLine(st.Detail)}, "\t")))
		}
	}
	return o.ended(s, j, failed)
}

// ended tells how many ended how. A run of which something is left keeps its journal.
func (o *once) ended(s cli.Streams, j *runJournal, failed error) error {
	counts := map[string]int{}
	for _, result := range j.over {
		counts[result]++
	}
	var texts []string
	for _, result := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[result], result))
	}
	sayLine(s.Err, "%s: %s", count(len(j.list), "payout"), strings.Join(texts, ", "))
	if failed != nil {
		return failed
	}
	if n := len(j.left()); n > 0 {
		return fmt.Errorf("%s left: say the same again, and it goes on (%s)", count(n, "payout"), j.name)
	}
	if err := j.remove(); err != nil {
		return err
	}
	if counts["done"]+counts["said"]+counts["moved"] < len(j.list) {
		return cli.Told(cli.Failed)
	}
	return nil
}

// one says the word about a payout, unless it was said before, and waits for its outcome. What has moved since the list was
// shown is left alone. Of what can't be said or read now it notes no result: it is left for the next run.
func (o *once) one(ctx context.Context, c api.Client, w api.Word, f frozen, id string, steps chan<- step) {
	st := step{TradeNo: f.TradeNo, ID: id}
	if id == "" {
		d, err := api.Get[api.PayoutDetail](ctx, c, "/payouts/"+url.PathEscape(f.TradeNo), nil)
		if err != nil {
			steps <- step{TradeNo: f.TradeNo, Detail: err.Error()}
			return
		}
		if state, _ := api.StateNamed(d.State); d.State != f.State && (w.Kind != string(acts.Ask) || state.Final()) {
			st.Result, st.Detail = "moved", fmt.Sprintf("it was %s and is %s now: nothing was said", f.State, d.State)
			steps <- st
			return
		}
		w.Scope = "payout:" + f.TradeNo
		o.until(&w)
		said, err := api.Post[api.Action](ctx, c, "/actions", nil, w)
		if err != nil {
			steps <- step{TradeNo: f.TradeNo, Detail: err.Error()}
			return
		}
		st.ID = said.ID
		steps <- st
	}
	if o.Wait != nil && *o.Wait <= 0 {
		st.Result = "said"
		steps <- st
		return
	}
	a, err := api.Get[api.Action](ctx, c, "/actions/"+url.PathEscape(st.ID), url.Values{"wait": {waitAtOnce.String()}})
	if err == nil && (a.Needs < 2 || a.ConfirmedBy != "") && !over(a) {
		a, err = o.await(ctx, cli.Streams{Out: io.Discard, Err: io.Discard}, c, a)
	}
	if err != nil || ctx.Err() != nil {
		return
	}
	if st.Result, st.Detail = resultOf(a), detailOf(ctx, c, a); st.Result == "" {
		st.Detail = "nobody has said yet what became of it"
	}
	steps <- st
}

// resultOf is what has become of an action about one payout.
func resultOf(a api.Action) string {
	if a.Needs > 1 && !over(a) {
		return "waits for a person"
	}
	if !over(a) {
		return ""
	}
	return a.Status
}

func detailOf(ctx context.Context, c api.Client, a api.Action) string {
	if a.Needs > 1 && !over(a) {
		return "payctl confirm " + a.ID
	}
	states := statesNow(ctx, c, a)
	if len(a.Outcomes) > 0 {
		return outcomesText(a, states)
	}
	return a.Detail
}
