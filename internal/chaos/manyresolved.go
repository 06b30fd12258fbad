package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

const (
	hungOnes     = 500 // payouts that a provider is asked for while it hangs
	resolveKills = 3   // runs of the command that are killed
	resolvedSome = 60  // outcomes between two of these kills

	// evidence is how long the provider answers before a person speaks. It denies a payout three times, a second apart. Nothing
	// counts within 10 s of the send.
	evidence = 12 * time.Second
)

// slowly has what is accepted from now on settle after people have spoken.
var slowly = map[string]any{"settleMin": "45s", "settleMax": "75s", "failed": 0, "partial": 0, "lostReply": 0, "lateError": 0, "outer5000": 0, "earlyError": 0}

// atOnce has what is accepted after that settle as before.
var atOnce = map[string]any{"settleMin": "50ms", "settleMax": "1s"}

// resolvingMany leaves 500 payouts held by a provider that hangs, and resolves them by one command that is killed halfway.
func resolvingMany(ctx context.Context, r *run) error {
	batch := r.id + "-x"
	if err := r.hang(ctx, batch); err != nil {
		return err
	}
	harness.Pause(ctx, evidence)
	resolve := []string{"resolve", "--where", "merchant=eg-main,state=held", "--as", "failed", "--reason", "ticket 4711", "--yes"}
	for kill := 1; kill <= resolveKills; kill++ {
		if err := r.killHalfway(ctx, fmt.Sprintf("payctl-resolve-%d", kill), kill*resolvedSome, resolve); err != nil {
			return err
		}
	}
	status, out, err := r.asked(ctx, 4*time.Minute, "payctl-resolve", resolve...)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	r.say("   the last run: status %d, %s", status, lines[len(lines)-1])
	if status != 1 || !strings.Contains(out, "it goes on with the list that was shown then") {
		r.problem("payctl resolve, said again, has status %d, not 1, or doesn't go on:\n%s", status, out[max(0, len(out)-2000):])
	}
	return r.untilNoneIsHeld(ctx, resolve)
}

// untilNoneIsHeld says it again, as a person does, for payouts that the provider had not denied often enough. How often it was asked
// by then depends on the machine's load.
func (r *run) untilNoneIsHeld(ctx context.Context, resolve []string) error {
	var failed error
	times := 0
	err := harness.Until(ctx, 3*time.Minute, "nothing is held any more", func() bool {
		if failed != nil || len(r.held()) == 0 {
			return true
		}
		times++
		_, _, failed = r.asked(ctx, 2*time.Minute, fmt.Sprintf("payctl-resolve-again-%d", times), resolve...)
		return !harness.Pause(ctx, time.Second)
	})
	r.say("   it was said %d times more, as some had too little evidence", times)
	return cmp.Or(failed, err)
}

// killHalfway runs payctl until so many actions have an outcome.
func (r *run) killHalfway(ctx context.Context, name string, outcomes int, resolve []string) error {
	p, err := r.payctl(name, resolve...)
	if err != nil {
		return err
	}
	defer p.Kill()
	err = harness.Until(ctx, 2*time.Minute, fmt.Sprintf("%d actions have an outcome", outcomes), func() bool {
		all, err := r.spoken(ctx)
		return err == nil && len(endings(all)) >= outcomes || !p.Running()
	})
	if err == nil && !p.Running() {
		err = fmt.Errorf("%s had ended by then:\n%s", name, p.Tail())
	}
	r.note("SIGKILL", "%s, with %d outcomes", name, outcomes)
	return err
}

// hang has the provider hang while a batch is sent, until all of it is held. Of half of them it keeps an order.
func (r *run) hang(ctx context.Context, batch string) error {
	if err := r.provider.control(ctx, "/behavior?merchantNo="+merchantNos["eg-main"], slowly); err != nil {
		return err
	}
	if err := r.provider.control(ctx, "/outage?is=hung&merchantNo="+merchantNos["eg-main"], nil); err != nil {
		return err
	}
	r.note("hung provider", "it answers nothing of eg-main")
	lines := r.batchLines(batch, 0, hungOnes)
	r.kept.payees = append(r.kept.payees, lines...)
	if err := r.order(ctx, lines); err != nil {
		return err
	}
	began := time.Now()
	err := harness.Until(ctx, 90*time.Second, "all of the batch are held", func() bool {
		standings := r.watcher.Standings()
		return !slices.ContainsFunc(r.hung(), func(tradeNo string) bool { return standings[tradeNo] != trial.Held })
	})
	if err != nil {
		return err
	}
	r.say("   %d payouts are held after %.0f s", hungOnes, time.Since(began).Seconds())
	if err := r.provider.control(ctx, "/outage?is=up&merchantNo="+merchantNos["eg-main"], nil); err != nil {
		return err
	}
	return r.provider.control(ctx, "/behavior?merchantNo="+merchantNos["eg-main"], atOnce)
}

// hung are the payouts of the batch.
func (r *run) hung() (all []string) {
	for i := range hungOnes {
		all = append(all, fmt.Sprintf("%s-x-%05d", r.id, i))
	}
	return all
}

// control changes how the simulator behaves.
func (v *provider) control(ctx context.Context, path string, change any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.Address+path, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator answers %s with status %d", path, answer.StatusCode)
	}
	return nil
}

// manyResolved judges what came of it. One action took effect of each payout that the provider has no record of, and none of
// the others: those end by its word.
func manyResolved(ctx context.Context, r *run) error {
	all, err := r.spoken(ctx)
	if err != nil {
		return err
	}
	ledger, err := r.provider.ledger(ctx)
	if err != nil {
		return err
	}
	said, effects, refused := map[string]int{}, map[string]int{}, map[string]int{}
	ended := endings(all)
	for _, a := range all {
		if a.Kind != acts.Resolve {
			continue
		}
		said[a.Scope.Name]++
		outcomes := ended[a.ID]
		if !sayOne(outcomes) {
			r.problem("%s: %d outcomes of the action %s", a.Scope.Name, len(outcomes), a.ID)
			continue
		}
		switch e := outcomes[0]; {
		case e.Result == acts.Done && !strings.Contains(e.Detail, "already"):
			effects[a.Scope.Name]++
		case e.Result != acts.Done:
			refused[a.Scope.Name]++
		}
	}
	var alone, byPerson, twice int
	for _, tradeNo := range r.hung() {
		entry := ledger.Entry(merchantNos["eg-main"], tradeNo)
		if said[tradeNo] > 1 {
			twice++
		}
		if why := endedWell(entry, r.finalOf(tradeNo), effects[tradeNo]); why != "" {
			r.problem("%s: %s", tradeNo, why)
		}
		if len(entry.Executions) > 0 {
			alone++
		} else {
			byPerson++
		}
	}
	out, err := r.printedBy("payctl-resolve*")
	if err != nil {
		return err
	}
	for _, tradeNo := range r.hung() {
		if entry := ledger.Entry(merchantNos["eg-main"], tradeNo); len(entry.Executions) > 0 && !strings.Contains(out, tradeNo+"\trefused") && !strings.Contains(out, tradeNo+"\tmoved") {
			r.problem("%s: the provider knows it, and payctl doesn't name it as refused or moved", tradeNo)
		}
	}
	r.say("   %d ended by a person, %d that the provider knows were left alone (%d of all refused), %d were said twice", byPerson, alone, len(refused), twice)
	if alone == 0 || byPerson == 0 {
		r.problem("the scenario shows nothing: %d are known to the provider, %d aren't", alone, byPerson)
	}
	return nil
}

// sayOne tells that there is one outcome. It may stand there twice under the same id: readers take it once (protocol A1).
func sayOne(outcomes []acts.Ended) bool {
	return len(outcomes) > 0 && !slices.ContainsFunc(outcomes, func(e acts.Ended) bool { return e.ID() != outcomes[0].ID() || e.Result != outcomes[0].Result })
}

// endedWell says how the end of a payout isn't what it should be, "" if it is.
func endedWell(entry paysim.Entry, final message.Event, effects int) string {
	switch known := len(entry.Executions) > 0; {
	case known && (final.By != "" || final.Type != message.EventPaid || effects > 0):
		return fmt.Sprintf("the provider has paid it, and it is %s by %q, with %d actions that took effect", final.Type, final.By, effects)
	case !known && (final.By != "olga" || final.Type != message.EventFailed || effects != 1):
		return fmt.Sprintf("the provider has no record of it, and it is %s by %q, with %d actions that took effect", final.Type, final.By, effects)
	}
	return ""
}

// finalOf is the final result of a payout.
func (r *run) finalOf(tradeNo string) (final message.Event) {
	for _, s := range r.watcher.Results(tradeNo) {
		if _, is := message.FinalOf(s.Event.Type); is {
			final = s.Event
		}
	}
	return final
}
