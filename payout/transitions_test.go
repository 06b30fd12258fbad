package payout

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/payout/acts"
	"disburser/payout/finding"
	"disburser/payout/money"
)

// place is where a payout is, as Transitions name it.
func place(p Payout) string {
	switch {
	case p.State == StateFailed && p.Absent:
		return "failed by absence"
	case p.EndedByPerson() && p.State != StateRejected:
		return p.State.String() + " by a person"
	}
	return p.State.String()
}

// listed are the transitions of some origins, each spelled as change spells it.
func listed(origins ...string) map[string]bool {
	all := map[string]bool{}
	for _, tr := range Transitions {
		if !slices.Contains(origins, tr.Origin) {
			continue
		}
		for _, from := range tr.From {
			for _, on := range tr.On {
				all[change(from, tr.To, on.String(), tr.Operator)] = true
			}
			if len(tr.On) == 0 {
				all[change(from, tr.To, tr.Origin, tr.Operator)] = true
			}
		}
	}
	return all
}

// change spells one change of a place: by which finding or method, and by which setting of
// the operator.
func change(from, to, by, operator string) string {
	if operator != "" {
		operator = " with " + operator
	}
	return from + " → " + to + " by " + by + operator
}

// same fails where one side has what the other one lacks.
func same(t *testing.T, seen, listed map[string]bool) {
	t.Helper()
	for _, c := range slices.Sorted(maps.Keys(seen)) {
		if !listed[c] {
			t.Errorf("this happens, and Transitions don't list it: %s", c)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(listed)) {
		if !seen[c] {
			t.Errorf("Transitions list this, and it never happens: %s", c)
		}
	}
}

// settings are the operator's choices that open transitions.
var settings = map[string]func(*Policy){
	failUnknown:    func(p *Policy) { p.UnknownStatus = Fail },
	holdContradict: func(p *Policy) { p.Contradiction = Hold },
	resendAbsent:   func(p *Policy) { p.NoRecord.Then = Resend },
}

// histories are payouts in one state, with everything in their past that a rule looks at.
func histories(t *testing.T, s State, each func(p Payout)) {
	seen := []func(*Payout){
		func(*Payout) {},
		func(p *Payout) { p.Shown = true },
		func(p *Payout) { p.PartialAt = t0.Add(2 * time.Minute) },
		func(p *Payout) { p.Unknown = "00032" },
		func(p *Payout) { p.Contradiction = "another amount" },
	}
	sends := []struct{ sends, disproved, refusals int }{{1, 0, 0}, {2, 0, 0}, {2, 1, 0}, {2, 2, 2}, {mostSends, 0, 0}}
	for _, n := range sends {
		for _, last := range []finding.Kind{finding.Unclear, finding.SettledFailed, finding.Refused} {
			for _, absences := range []int{0, 2} {
				for _, before := range seen {
					for _, account := range []Account{"mine", "other", ""} {
						for _, unacknowledged := range []bool{false, true} {
							p := in(t, s)
							p.Sends, p.Disproved, p.Refusals, p.LastSend, p.Account, p.Unacknowledged = n.sends, n.disproved, n.refusals, last, account, unacknowledged
							if p.FirstSentAt.IsZero() {
								p.FirstSentAt, p.LastSentAt, p.SendBy = t0, t0, t0.Add(lease)
							}
							if absences > 0 {
								p.NoRecords, p.NoRecordAt, p.NoRecordOf = absences, t0.Add(10*time.Minute), "mine"
							}
							before(&p)
							each(p)
						}
					}
				}
			}
		}
	}
}

// findings are all that a kind can say as far as a rule looks at it.
func findings(k finding.Kind) []finding.Finding {
	switch k {
	case finding.Paid, finding.Partial:
		return []finding.Finding{{Kind: k}, {Kind: k, Share: money.ShareAll}, {Kind: k, Share: money.SharePart}, {Kind: k, SucceededAt: t0.Add(-30 * time.Hour)}}
	case finding.Failed:
		return []finding.Finding{{Kind: k}, {Kind: k, SucceededAt: t0.Add(-30 * time.Hour)}}
	case finding.UnknownStatus:
		return []finding.Finding{{Kind: k, Status: "00032"}, {Kind: k, Status: "00099"}}
	case finding.Unclear:
		return []finding.Finding{{Kind: k}, {Kind: k, Order: true}}
	default:
		return []finding.Finding{{Kind: k}}
	}
}

// answered is one answer, to a payout of a state with a past, at one moment.
type answered struct {
	p        Payout
	phase    Phase
	f        finding.Finding
	now      time.Time
	refusing bool
}

// answers are all of them.
func answers(t *testing.T, each func(a answered)) {
	for _, s := range States {
		histories(t, s, func(p Payout) {
			for phase, rules := range table[s] {
				for kind := range rules {
					for _, f := range findings(kind) {
						for _, now := range []time.Time{t0.Add(time.Hour), t0.Add(73 * time.Hour)} {
							each(answered{p, phase, f, now, false})
							if kind == finding.NoRecord { // the only rule that looks at it
								each(answered{p, phase, f, now, true})
							}
						}
					}
				}
			}
		})
	}
}

// becomes is where the payout is afterwards, with some of the operator's settings.
func (a answered) becomes(t *testing.T, chosen ...string) string {
	policy := standard()
	policy.Account, policy.Refusing = "mine", a.refusing
	for _, name := range chosen {
		settings[name](&policy)
	}
	next, err := a.p.After(a.phase, a.f, a.now, policy)
	if err != nil {
		t.Fatal(err)
	}
	return place(next)
}

// Every finding in every state, with every past and every policy: what is seen is what is
// listed. A change that a setting opens happens with that setting and never without it.
func TestTheTableMakesTheTransitionsThatAreListed(t *testing.T) {
	seen, want := map[string]bool{}, listed("table")
	names := slices.Sorted(maps.Keys(settings))
	answers(t, func(a answered) {
		from, usual, by := place(a.p), a.becomes(t), a.f.Kind.String()
		if usual != from {
			seen[change(from, usual, by, "")] = true
		}
		for _, name := range names {
			if to := a.becomes(t, name); to != usual && to != from {
				seen[change(from, to, by, name)] = true
			}
		}
		to := a.becomes(t, names...)
		allowed := to == from || to == usual
		for _, name := range names {
			allowed = allowed || want[change(from, to, by, name)]
		}
		if !allowed {
			t.Fatalf("%s with all settings, and none of them allows it: %+v", change(from, to, by, ""), a.f)
		}
	})
	same(t, seen, want)
}

// Our own methods, on a payout in every state with every past.
func TestOurMethodsMakeTheTransitionsThatAreListed(t *testing.T) {
	seen := map[string]bool{}
	saw := func(from, method string, next Payout, err error) {
		if to := place(next); err == nil && to != from {
			seen[change(from, to, method, "")] = true
		}
	}
	for _, invalid := range []string{"", "amount is missing", NotConfigured} {
		saw("unknown", "Begin", Begin(command(t), "egypt", Source{}, invalid, t0), nil)
		saw("unknown", "AwaitMerchant", Begin(command(t), "", Source{}, invalid, t0).AwaitMerchant(), nil)
	}
	try := func(p Payout) {
		for _, now := range []time.Time{t0.Add(time.Minute), t0.Add(2 * time.Hour)} {
			for _, account := range []Account{"mine", "other", ""} {
				next, err := p.NotSendable(now, account)
				saw(place(p), "NotSendable", next, err)
			}
			next, err := p.GiveBack(now, p.Unacknowledged)
			saw(place(p), "GiveBack", next, err)
			next, err = p.Reject("its merchant is not known", now)
			saw(place(p), "Reject", next, err)
			next, err = p.Cancel(Cancellation{By: "alice"}, now)
			saw(place(p), "Cancel", next, err)
			saw(place(p), "Resolved", p.Resolved(command(t), "egypt", now), nil)
			saw(place(p), "Announced", p.Announced(now, standard()), nil)
			resolutions(p, now, func(j Judged, table Payout) {
				if place(j.After) != place(table) {
					saw(place(p), "Resolve", j.After, nil)
				}
			})
		}
	}
	for _, s := range States {
		histories(t, s, func(p Payout) {
			p.ExpiresAt = t0.Add(time.Hour)
			try(p)
			p.Sends, p.Disproved, p.Refusals, p.FirstSentAt = 0, 0, 0, time.Time{}
			try(p)
		})
	}
	same(t, seen, listed("Begin", "AwaitMerchant", "NotSendable", "GiveBack", "Reject", "Cancel", "Resolved", "Announced", "Resolve"))
}

// resolutions are all that a person can say of a payout, by every answer; table is what the answer alone makes of it.
func resolutions(p Payout, now time.Time, each func(j Judged, table Payout)) {
	policy := standard()
	policy.Account, policy.Contradiction = "mine", Hold
	for _, as := range []acts.As{acts.Paid, acts.Failed} {
		for _, force := range []bool{false, true} {
			for _, kind := range finding.AskKinds {
				for _, f := range findings(kind) {
					table, err := p.After(Ask, f, now, policy)
					if err != nil {
						table = p
					}
					each(p.Resolve(Word{As: as, Force: force, By: "alice", ConfirmedBy: "bob", Action: "1"}, f, now, policy), table)
				}
			}
		}
	}
}

// parsed are the files of a directory that go into the product.
func parsed(t *testing.T, fset *token.FileSet, dir string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(fset, name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// setsState tells whether code assigns a field State, or makes a Payout with one.
func setsState(code ast.Node) (sets bool) {
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				field, is := to.(*ast.SelectorExpr)
				sets = sets || is && field.Sel.Name == "State"
			}
		case *ast.CompositeLit:
			name := types.ExprString(n.Type)
			for _, e := range n.Elts {
				field, is := e.(*ast.KeyValueExpr)
				sets = sets || is && types.ExprString(field.Key) == "State" && (name == "Payout" || name == "payout.Payout")
			}
		}
		return true
	})
	return sets
}

// ours reads the types of this module only: no other name is looked at.
type ours struct {
	t       *testing.T
	fset    *token.FileSet
	checked map[string]*types.Package
}

func (o ours) check(name string, info *types.Info) (files []*ast.File) {
	for _, file := range parsed(o.t, o.fset, filepath.Join("..", strings.TrimPrefix(name, "disburser/"))) {
		files = append(files, file)
	}
	c := types.Config{Importer: o, Error: func(error) {}}
	pkg, _ := c.Check(name, o.fset, files, info)
	o.checked[name] = pkg
	return files
}

// Import answers a package of this module; others stay unknown.
func (o ours) Import(name string) (*types.Package, error) {
	if !strings.HasPrefix(name, "disburser/") {
		return nil, fmt.Errorf("%s is not looked at", name)
	}
	if o.checked[name] == nil {
		o.check(name, nil)
	}
	return o.checked[name], nil
}

// Whoever adds a method that changes a state must list what it does.
func TestEveryMethodThatChangesAStateIsListed(t *testing.T) {
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	files := ours{t, token.NewFileSet(), map[string]*types.Package{}}.check("disburser/payout", info)
	code := map[types.Object]ast.Node{} // of functions, and of the table
	for _, file := range files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				code[info.Defs[d.Name]] = d
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, is := spec.(*ast.ValueSpec); is {
						code[info.Defs[v.Names[0]]] = v
					}
				}
			}
		}
	}
	changes := map[types.Object]bool{}
	for more := true; more; {
		more = false
		for of, text := range code {
			does := setsState(text)
			ast.Inspect(text, func(n ast.Node) bool {
				name, is := n.(*ast.Ident)
				does = does || is && changes[info.Uses[name]]
				return true
			})
			if does && !changes[of] {
				changes[of], more = true, true
			}
		}
	}
	got := map[string]bool{}
	for of := range changes {
		if of.Exported() {
			got[of.Name()] = true
		}
	}
	want := map[string]bool{"After": true} // the table
	for _, tr := range Transitions {
		if ast.IsExported(tr.Origin) {
			want[tr.Origin] = true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("these change a state: %v; Transitions list %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// Nobody outside of this package and the scripts makes a state of his own. The back office only says what it has read:
// it takes nothing of what pays people (.golangci.yaml).
func TestNobodyElseSetsAState(t *testing.T) {
	known := map[string]string{
		"journal/record.go":         "reads it out of a record",
		"journal/text.go":           "of a trace, not of a payout",
		"journal/act.go":            "what is remembered of an end",
		"cmd/disburser/act_once.go": "what the command says of it",
		"decisions/replay.go":       "what restore.lua is told",
		"message/carried.go":        "what a header says of it, for insert.lua to judge",
	}
	elsewhere := regexp.MustCompile(`^\.\./(payout|\.[^.]|bin$|reconcile|backoffice|internal/(model|simulation|trial|bench|chaos|e2e)|paypro/paysim)`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if elsewhere.MatchString(path) {
			return fs.SkipDir
		}
		for name, file := range parsed(t, token.NewFileSet(), path) {
			name = strings.TrimPrefix(name, "../")
			if setsState(file) && known[name] == "" {
				t.Errorf("%s sets a field State: if it is a payout's, that belongs into this package, and into Transitions", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// placeList are the names that Transitions may use, with what a reader needs.
var placeList = []struct{ name, means string }{
	{"unknown", "the journal knows nothing of it"},
	{"received", "stored, and certainly not being sent"},
	{"sending", "may have been sent: whoever finds it asks, nobody sends"},
	{"processing", "the provider acknowledged it"},
	{"held", "needs a person; it is still asked about, slowly"},
	{"paid", "final: the provider says so"},
	{"partial", "final: the provider says so"},
	{"failed", "final: the provider says so, or the operator has unknown statuses fail"},
	{"failed by absence", "final, by our own word: the provider has no record of it. The state is `failed`"},
	{"rejected", "final, by our own word: it was never sent"},
	{"paid by a person", "final, by a person's word about a held payout. The state is `paid`"},
	{"failed by a person", "the same. The state is `failed`"},
	{"remembered as sent", "no record: a rebuild knows that it was decided to be sent, and its command is still to be read"},
	{"remembered as held", "no record: a rebuild knows that it was held, and its command is still to be read"},
	{"remembered as ended", "no record: its end is announced. What is left recognises a repeat for `redis.dedup_window`"},
	{"unreadable", "a damaged record of layout 1"},
}

var places = func() map[string]bool {
	names := map[string]bool{}
	for _, p := range placeList {
		names[p.name] = true
	}
	return names
}()

func TestTransitionsSayWhatExists(t *testing.T) {
	protocol, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range Transitions {
		for _, name := range append([]string{tr.To}, tr.From...) {
			if !places[name] {
				t.Errorf("there is no place %q: %+v", name, tr)
			}
		}
		_, method := reflect.TypeFor[Payout]().MethodByName(tr.Origin)
		_, file := os.Stat("../journal/lua/" + tr.Origin)
		if !method && file != nil && !slices.Contains([]string{"table", "announce", "Begin"}, tr.Origin) {
			t.Errorf("there is no %q: %+v", tr.Origin, tr)
		}
		if (tr.Origin == "table") != (len(tr.On) > 0) || tr.When == "" {
			t.Errorf("incomplete: %+v", tr)
		}
		if settings[tr.Operator] == nil && tr.Operator != "" {
			t.Errorf("no test knows the setting %q", tr.Operator)
		}
		if anchor(string(protocol), tr.Rule) == "" {
			t.Errorf("docs/protocol.md has no %q: %+v", tr.Rule, tr)
		}
	}
}

// anchor is the name of a rule's heading, as links name it.
func anchor(protocol, rule string) string {
	heading := regexp.MustCompile(`(?m)^#+ (` + rule + ` .*)$`).FindStringSubmatch(protocol)
	if heading == nil {
		return ""
	}
	return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
}

const statesHead = `# States

All states of a payout, and every way from one to another. The test ` + "`TestThePageOfStates`" + ` makes this page of ` + "`payout/transitions.go`" + `. It writes
the page anew with ` + "`go test ./payout -run TestThePageOfStates -update`" + `. Other tests compare that list with the table in ` + "`payout/state.go`" + `,
with our own methods, and with every script that writes a record, in both directions. [design.md](design.md#states) says what the states mean for
the work, and why.

| Place | Means |
|---|---|
`

// drawing is a diagram of some transitions, one line for each pair of places.
func drawing(of func(from string, tr Transition) bool) string {
	var lines []string
	labels, used := map[string][]string{}, map[string]bool{}
	id := func(name string) string {
		if name == "unknown" {
			return "[*]"
		}
		used[name] = true
		return strings.ReplaceAll(name, " ", "_")
	}
	for _, tr := range Transitions {
		for _, from := range tr.From {
			if !of(from, tr) {
				continue
			}
			line := "    " + id(from) + " --> " + id(tr.To)
			if labels[line] == nil {
				lines = append(lines, line)
			}
			if !slices.Contains(labels[line], tr.Origin) {
				labels[line] = append(labels[line], tr.Origin)
			}
		}
	}
	var b strings.Builder
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if strings.Contains(name, " ") {
			fmt.Fprintf(&b, "    state \"%s\" as %s\n", name, id(name))
		}
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "%s: %s\n", line, strings.Join(labels[line], ", "))
	}
	return b.String() + "```\n"
}

// statesPage is docs/states.md.
func statesPage(protocol string) string {
	var b strings.Builder
	b.WriteString(statesHead)
	for _, p := range placeList {
		fmt.Fprintf(&b, "| %s | %s |\n", p.name, p.means)
	}
	b.WriteString("\n## In normal running\n\n`apply.lua` writes what the table and the methods decide, and `carry.lua` what a person's action does. An arrow is named after who decides.\n")
	b.WriteString(drawing(func(from string, tr Transition) bool {
		return tr.Origin != "restore.lua" && tr.Origin != "convert.lua" && !strings.HasPrefix(from, "remembered") && !(from == "unknown" && tr.Origin != "insert.lua")
	}))
	b.WriteString("\n## After a loss of Redis, and in an upgrade\n\nWhatever was announced as final becomes \"remembered as ended\", from every place. The drawing leaves that out.\n")
	b.WriteString(drawing(func(from string, tr Transition) bool {
		return (tr.Origin == "restore.lua" || tr.Origin == "convert.lua" || strings.HasPrefix(from, "remembered")) && tr.To != "remembered as ended"
	}))
	b.WriteString("\n## The list\n\n\"Finding\" is what the provider's answer was found to say. \"Setting\" is the operator's choice without which it never happens.\n")
	b.WriteString("\n| From | To | By | Finding | When | Setting | Rule |\n|---|---|---|---|---|---|---|\n")
	for _, tr := range Transitions {
		on, setting, by := "", "", tr.Origin
		for i, k := range tr.On {
			on += []string{"", ", "}[min(i, 1)] + k.String()
		}
		if tr.Operator != "" {
			setting = "`" + tr.Operator + "`"
		}
		if by != "table" && by != "announce" {
			by = "`" + by + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | [%s](protocol.md#%s) |\n", strings.Join(tr.From, ", "), tr.To, by,
			strings.ReplaceAll(on, "_", " "), tr.When, setting, tr.Rule, anchor(protocol, tr.Rule))
	}
	return b.String()
}

var update = flag.Bool("update", false, "write docs/states.md anew")

func TestThePageOfStates(t *testing.T) {
	const page = "../docs/states.md"
	protocol, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	want := statesPage(string(protocol))
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != want {
		t.Errorf("docs/states.md is not what payout/transitions.go says: go test ./payout -run TestThePageOfStates -update (%v)", err)
	}
}
