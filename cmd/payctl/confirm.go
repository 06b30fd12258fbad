package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/acts"
	"disburser/payout/money"
)

// confirm is a second person's word.
type confirm struct {
	speaker
	Reason string `name:"reason" placeholder:"TEXT" help:"Why, in 500 characters at most; it may be left out. It is shown as it is and kept for ever: never name a payee in it."`

	ID   string `arg:"" optional:"" name:"id" help:"The action, as payctl actions lists it."`
	From string `name:"from" placeholder:"FILE" help:"Confirms each action of this file: one id a line, or the lines of payctl actions --waiting --json; - reads stdin."`
	Yes  bool   `name:"yes" help:"With --from: doesn't ask."`
}

// Help says what is shown of many.
func (*confirm) Help() string {
	return "Nobody confirms their own action. Of many, each is shown as it was said, with the payout's state and amount, then count and sum, and you are asked. " +
		"What waits no more is named and left alone. If it is killed halfway, say the same again: what was confirmed waits no more."
}

func (*confirm) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl confirm 01KAX3V0G5T2M4R8W6Y7ZPQNCE`, Does: "the second person's word; nobody confirms their own action"},
		{Line: `payctl confirm --from waiting.jsonl --reason "all of ticket 4711"`, Does: "of many: payctl actions --waiting --json > waiting.jsonl makes the list"},
	}
}

// Run says it.
func (k *confirm) Run(ctx context.Context, s cli.Streams) error {
	switch {
	case (k.ID == "") == (k.From == ""):
		return cli.Usage(errors.New("name one action, or many by --from FILE"))
	case k.From == "-" && !k.Yes:
		return cli.Usage(errors.New("--from - needs --yes: stdin can't answer too"))
	case k.ID != "":
		return k.say(ctx, s, api.Word{Kind: string(acts.Confirm), Of: k.ID, Reason: k.Reason})
	}
	if err := readable(api.Word{Kind: string(acts.Confirm), Of: "one", Reason: k.Reason}); err != nil {
		return err
	}
	c, err := k.client()
	if err != nil {
		return err
	}
	ids, err := k.ids()
	if err != nil {
		return cli.Setup(fmt.Errorf("read %s: %w", k.From, err))
	}
	list, failed, err := waitingOf(ctx, s, c, ids)
	if err == nil && len(list) == 0 {
		err = errors.New("none of them waits for a person: nothing was said")
	}
	if err != nil {
		return err
	}
	if yes, err := k.consent(ctx, s, list); err != nil || !yes {
		return err
	}
	return k.sayEach(ctx, s, c, list, failed)
}

// ids are those of --from, each once.
func (k *confirm) ids() (ids []string, err error) {
	var text []byte
	if k.From == "-" {
		text, err = io.ReadAll(stdin)
	} else {
		text, err = os.ReadFile(k.From)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for number := 1; err == nil && lines.Scan(); number++ {
		id := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(id, "{") {
			var a struct{ ID string }
			err = json.Unmarshal([]byte(id), &a)
			id = a.ID
		} else if id == "" {
			continue
		}
		if err != nil || id == "" || strings.ContainsAny(id, " \t,;") {
			return nil, fmt.Errorf("line %d has no id of an action", number)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, errors.Join(err, lines.Err())
}

// waitsForPerson is the status of an action that waits for a second person.
const waitsForPerson = "waits for a person"

// waiting is an action that waits for a second person, and how much it is about.
type waiting struct {
	action  api.Action
	about   string // state and amount, of a batch the count too
	payouts int
	amounts map[string]string // by currency
}

// waitingOf looks at each action as it is now. failed tells that one has ended otherwise than it was meant.
func waitingOf(ctx context.Context, s cli.Streams, c api.Client, ids []string) (list []waiting, failed bool, err error) {
	for _, id := range ids {
		a, err := api.Get[api.Action](ctx, c, "/actions/"+url.PathEscape(id), nil)
		if err != nil {
			return nil, failed, fmt.Errorf("%s: %w", cli.OneLine(id), marked(err))
		}
		if a.Status != waitsForPerson {
			fmt.Fprintf(s.Err, "%s waits for nobody: it is %s\n", a.ID, a.Status)
			failed = failed || !well(a)
			continue
		}
		w := waiting{action: a}
		if err := w.look(ctx, c); err != nil {
			return nil, failed, fmt.Errorf("%s, %s: %w", a.ID, cli.OneLine(a.Scope), marked(err))
		}
		list = append(list, w)
	}
	return list, failed, nil
}

// look asks what the action is about. Of what the books don't know there is no amount.
func (w *waiting) look(ctx context.Context, c api.Client) error {
	kind, name, _ := strings.Cut(w.action.Scope, ":")
	var err error
	switch kind {
	case "payout":
		var d api.PayoutDetail
		if d, err = api.Get[api.PayoutDetail](ctx, c, "/payouts/"+url.PathEscape(name), nil); err == nil {
			w.about, w.payouts, w.amounts = d.State+", "+strings.TrimSpace(d.Amount+" "+d.Currency), 1, map[string]string{d.Currency: d.Amount}
		}
	case "batch":
		var b api.Batch
		if b, err = api.Get[api.Batch](ctx, c, "/batches/"+url.PathEscape(name), nil); err == nil {
			w.amounts = map[string]string{}
			for _, state := range []string{"received", "sending", "processing", "held"} {
				w.payouts += b.States[state]
			}
			w.about = fmt.Sprintf("%d open", w.payouts)
			for _, currency := range slices.Sorted(maps.Keys(b.Amounts)) {
				w.amounts[currency] = b.Amounts[currency].Open
				w.about += ", " + b.Amounts[currency].Open + " " + currency
			}
		}
	}
	var problem *api.Problem
	if errors.As(err, &problem) && problem.Status == 404 {
		w.about, err = "the books don't know it", nil
	}
	return err
}

// consent shows what would be confirmed, with count and sum, and asks.
func (k *confirm) consent(ctx context.Context, s cli.Streams, list []waiting) (bool, error) {
	payouts, sums := 0, map[string]*money.Sum{}
	for _, w := range list {
		fmt.Fprintf(s.Err, "%s\t%s\t%s\tby %s\t%s\n", w.action.ID, cli.OneLine(saysOf(w.action)), cli.OneLine(w.about), cli.OneLine(w.action.By), cli.OneLine(w.action.Reason))
		payouts += w.payouts
		for currency, amount := range w.amounts {
			addTo(sums, currency, amount)
		}
	}
	text := count(len(list), "action") + " about " + count(payouts, "open payout") + sumsText(sums)
	if k.Yes {
		fmt.Fprintln(s.Err, text)
		return true, nil
	}
	return confirmed(ctx, s, "Confirm "+text+"?")
}

// sayEach confirms one action after the other, then tells what becomes of each. A refusal stops none of the others.
func (k *confirm) sayEach(ctx context.Context, s cli.Streams, c api.Client, list []waiting, failed bool) error {
	said := make([]api.Action, 0, len(list))
	for _, w := range list {
		if ctx.Err() != nil {
			break
		}
		a, err := api.Post[api.Action](ctx, c, "/actions", nil, api.Word{Kind: string(acts.Confirm), Of: w.action.ID, Reason: k.Reason})
		var problem *api.Problem
		switch {
		case errors.As(err, &problem) && problem.Status < 500: // it is its own, or it has ended meanwhile
			failed = true
			fmt.Fprintf(s.Err, "%s is not confirmed: %s\n", w.action.ID, cli.OneLine(problem.Error()))
		case err != nil:
			return fmt.Errorf("%s: %w; %d of %s are confirmed: say the same again, and it goes on", w.action.ID, marked(err), len(said), count(len(list), "action"))
		default:
			said = append(said, a)
		}
	}
	for _, a := range said {
		a, err := k.await(ctx, s, c, a)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return cli.Told(cli.Failed)
		}
		failed = failed || !well(a) && (k.Wait == nil || *k.Wait > 0)
		if k.JSON {
			err = printed(s.Out, a)
		} else {
			states := statesNow(ctx, c, a)
			_, err = fmt.Fprintln(s.Out, cli.OneLine(a.Scope)+"\t"+a.Status+"\t"+cli.OneLine(outcomesText(a, states)))
		}
		if err != nil {
			return err
		}
	}
	if failed || len(said) < len(list) {
		return cli.Told(cli.Failed)
	}
	return nil
}

// outcomesText is all that came of an action, in a line.
func outcomesText(a api.Action, states map[string]string) string {
	texts := []string{}
	for _, o := range a.Outcomes {
		texts = append(texts, strings.TrimPrefix(outcomeText(o, states[o.TradeNo]), o.TradeNo+": "))
	}
	return strings.Join(texts, "; ")
}
