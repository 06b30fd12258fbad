package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"disburser/paypro/paysim"
)

// shown is how many problems are printed, and how many payouts get a file of evidence.
const shown = 12

// conclude prints what was found. After a violation the logs of all processes stay, with
// all that is known of each payout concerned.
func (r *run) conclude(out row, h history, ledger paysim.Ledger) {
	if len(out.problems) == 0 {
		r.say("   holds: %d payouts, quiet %.1f s after the faults", out.payouts, out.quiet.Seconds())
		if r.Keep {
			r.keep()
		}
		return
	}
	r.say("   BROKEN: %d problems", len(out.problems))
	for _, p := range out.problems[:min(shown, len(out.problems))] {
		fmt.Fprintf(r.Out, "          %s\n", p)
	}
	r.write("timeline.txt", strings.Join(r.timeline, "\n")+"\n\n"+strings.Join(out.problems, "\n"))
	seen := map[string]bool{}
	for _, p := range out.problems {
		tradeNo, _, found := strings.Cut(p, ":")
		if found && strings.HasPrefix(tradeNo, r.id) && !seen[tradeNo] && len(seen) < shown {
			seen[tradeNo] = true
			r.write(tradeNo+".txt", r.story(tradeNo, h, ledger))
		}
	}
	r.keep()
}

func (r *run) write(name, text string) {
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.say("   %v", err)
	}
}

// keep copies the scenario's directory to where evidence goes.
func (r *run) keep() {
	to := filepath.Join(r.Evidence, r.id)
	if err := os.CopyFS(to, os.DirFS(r.dir)); err != nil {
		r.say("   the evidence could not be kept: %v", err)
		return
	}
	r.say("   the evidence is in %s", to)
}

// story is all that is known of one payout: decisions about it, its results, the provider's
// books. Lines that the instances logged of it stand in the order of time.
func (r *run) story(tradeNo string, h history, ledger paysim.Ledger) string {
	var b strings.Builder
	var lines []string
	for _, i := range r.instances {
		text, _ := os.ReadFile(i.Log)
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte(`"`+tradeNo+`"`)) {
				lines = append(lines, timeOf(line)+" "+i.Name+" "+string(line))
			}
		}
	}
	for _, d := range h.decisions {
		if i := slices.Index(d.TradeNos, tradeNo); i >= 0 {
			lines = append(lines, fmt.Sprintf("%s decision %s by %s (%s), seq %d, epoch %d %s, %d of %d payouts\n", d.Time.Format("2006-01-02T15:04:05.000000000Z"), d.Kind, d.Instance,
				filepath.Base(h.instances[d.Instance]), d.Seq, d.Epoch.Number, d.Epoch.ID, i+1, len(d.TradeNos)))
		}
	}
	for _, event := range r.timeline {
		lines = append(lines, event+"\n")
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
	for _, s := range r.watcher.Results(tradeNo) {
		text, _ := json.Marshal(s.Event)
		fmt.Fprintf(&b, "result %s %s\n", s.ID, text)
	}
	for _, e := range ledger.Entries {
		if e.TradeNo == tradeNo {
			text, _ := json.MarshalIndent(e, "", "  ")
			fmt.Fprintf(&b, "ledger %s\n", text)
		}
	}
	return b.String()
}

func timeOf(line []byte) string {
	var l struct{ Time string }
	_ = json.Unmarshal(line, &l) // then it stands first
	return l.Time
}
