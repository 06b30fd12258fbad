package mutants

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// A mutant whose text the source no longer has would prove nothing, nor would a killer that was
// renamed. This test says so at once, instead of a run of minutes.
func TestMutantsFitTheSource(t *testing.T) {
	tests := map[string]string{} // the test files of a package
	names := map[string]bool{}
	for _, g := range All() {
		if names[g.Name] || g.Without == "" || len(g.Mutants) == 0 {
			t.Errorf("%s: stands twice, doesn't say what goes wrong without it, or has no mutant", g.Name)
		}
		names[g.Name] = true
		removes := map[string]bool{}
		for _, m := range g.Mutants {
			if m.Removes == "" || removes[m.Removes] {
				t.Errorf("%s: %q stands twice, or says nothing", g.Name, m.Removes)
			}
			removes[m.Removes] = true
			if _, err := m.mutated(root); err != nil {
				t.Errorf("%s, %s: %v", g.Name, m.Removes, err)
			}
			pkg := m.Killer.Package
			if _, read := tests[pkg]; !read {
				tests[pkg] = testsOf(t, pkg)
			}
			if !strings.Contains(tests[pkg], "\nfunc "+m.Killer.Test+"(t *testing.T) {") {
				t.Errorf("%s, %s: %s is no test", g.Name, m.Removes, m.Killer)
			}
		}
	}
}

func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no tests: %v", pkg, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "//go:build real") { // these need servers
			all.Write(text)
		}
	}
	return all.String()
}

// Every rule of docs/protocol.md that is a guard in the code has one here. Not E3, which is
// what the others make of an epoch's end, nor E4, which is its steps.
func TestEveryRuleHasAGuard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, g := range All() {
		rule, _, _ := strings.Cut(g.Name, " ")
		have[strings.TrimRight(rule, "abcde")] = true
		have[rule] = true
	}
	rules := regexp.MustCompile(`(?m)^####? ([SOIEA][0-9]+[a-e]?) `).FindAllStringSubmatch(string(text), -1)
	if len(rules) < 33 {
		t.Errorf("the protocol has %d rules", len(rules))
	}
	for _, rule := range rules {
		if !have[rule[1]] && rule[1] != "E3" && rule[1] != "E4" {
			t.Errorf("%s has no guard", rule[1])
		}
	}
}

// The guards that must never be dropped from the list, by the words of their names.
func TestTheListIsWhole(t *testing.T) {
	for _, name := range []string{
		"S1 state, in lease", "S2 state, in apply", "S2 token", "S2 a repeat answers as the first time", "S2 each caller reads its own answer", "S3 decision before send", "S3 acknowledged",
		"S3 give-back", "S4 look", "S4 look from the own epoch's fence", "S4 only where the own fence was seen", "S4 a leased group is tied to its epoch",
		"S5 deadline on the wall clock", "S5 deadline on the monotonic clock", "S6 no redirects", "S6 no retry by the transport", "S6 not sent is a proof",
		"S1 old sending asks", "O1 the query decides", "O1 partial seen twice", "O2 own finals are decided", "O2 unacknowledged", "O3 acknowledged before marked",
		"O4 several answers", "O4 answers apart", "O4 after the deadline", "O4 corroborated", "O4 then: hold", "O4 once shown, never absent",
		"I1 read position, refused past it", "I1 read position, only up", "I2 safe mark, never past an open payout", "I2 safe mark, one script",
		"I3 known isn't new", "I4 old and unknown is held", "I5 carried forward, as its header says", "I6 fingerprints", "E1 epochs are told apart by id",
		"E2 run_id compared", "E2 in every script", "E4a old scripts refuse once a building stands", "E4c own fence last", "E4d replay before sending",
		"E4d rank merge never backwards", "E4d decisions count by their fence", "E4d each write tied to the building", "E5 watermark order",
		"E5 mark never past a foreign fence", "E5 replay starts at the watermark", "E6 adoption compares fingerprints", "E8 number of shards",
		"Rate: nothing granted twice after a wipe",
	} {
		if found, err := Select(All(), []string{name}); err != nil || found[0].Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatAKillersRunShows(t *testing.T) {
	k := Killer{"journal", "TestRanks"}
	for name, c := range map[string]struct {
		said string
		err  error
		want Verdict
	}{
		"fails":            {"--- FAIL: TestRanks (0.02s)\n    --- FAIL: TestRanks/x (0.01s)\nFAIL\n", os.ErrInvalid, Killed},
		"passes":           {"--- PASS: TestRanks (0.02s)\nPASS\n", nil, Survived},
		"panics":           {"--- FAIL: TestRanks (0.02s)\npanic: oh\n", os.ErrInvalid, Panicked},
		"times out":        {"panic: test timed out after 1m0s\n", os.ErrInvalid, Hung},
		"is cut short":     {"=== RUN   TestRanks\n", os.ErrInvalid, Hung},
		"another failed":   {"--- FAIL: TestRanksToo (0.02s)\nFAIL\n", os.ErrInvalid, Hung},
		"passes and leaks": {"--- PASS: TestRanks (0.02s)\nPASS\ngoleak: found unexpected goroutines\n", os.ErrInvalid, Survived},
		"is skipped":       {"--- SKIP: TestRanks (0.00s)\nPASS\n", nil, Survived},
	} {
		if got := judge(k, []byte(c.said), c.err); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if ok := passed([]byte("=== RUN   TestA\n--- SKIP: TestA (0.00s)\n--- PASS: TestB (0.00s)\n    --- PASS: TestC/x (0.00s)\n")); ok["TestA"] || !ok["TestB"] || ok["TestC/x"] {
		t.Errorf("%v", ok)
	}
}

func names(guards []Guard) (all []string) {
	for _, g := range guards {
		for _, m := range g.Mutants {
			all = append(all, g.Name+": "+m.Removes)
		}
	}
	return all
}

func TestThePartsAreTheWhole(t *testing.T) {
	whole := names(All())
	for _, n := range []int{1, 2, 3, 50} {
		var together []string
		for part := 1; part <= n; part++ {
			some := names(Part(All(), part, n))
			if d := len(some) - len(whole)/n; d < 0 || d > 1 {
				t.Errorf("part %d of %d has %d of %d mutants", part, n, len(some), len(whole))
			}
			together = append(together, some...)
		}
		if !slices.Equal(together, whole) {
			t.Errorf("%d parts together have %d mutants, the whole has %d", n, len(together), len(whole))
		}
	}
}

func TestASampleIsDrawnBySeed(t *testing.T) {
	a, b, c := names(Sample(All(), 8, 1)), names(Sample(All(), 8, 1)), names(Sample(All(), 8, 2))
	if len(a) != 8 || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%q\n%q\n%q", a, b, c)
	}
	whole := names(All())
	for _, name := range a {
		if !slices.Contains(whole, name) {
			t.Errorf("%s is no mutant", name)
		}
	}
	if all := names(Sample(All(), 10000, 1)); len(all) != len(whole) {
		t.Errorf("%d of %d", len(all), len(whole))
	}
}
