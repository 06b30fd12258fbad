package mutants

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Guard is a rule of the protocol that stands in the code.
type Guard struct {
	Name    string // begins with the rule of docs/protocol.md
	Without string // what goes wrong without it
	Mutants []Mutant
}

// Mutant is a guard taken away.
type Mutant struct {
	Removes string // in one line
	Edits   []Edit // several only where the guard is protected twice, or stands in two places
	Killer  Killer
	Ends    Verdict // how the killer ends on it; "" is killed, as it should be
}

// Edit replaces a text that occurs exactly once in its file.
type Edit struct{ File, Old, New string }

// Killer is the test that notices.
type Killer struct{ Package, Test string }

// String names a killer as one would say it.
func (k Killer) String() string { return k.Package + " " + k.Test }

// edit is the usual mutant's: one place.
func edit(file, old, becomes string) []Edit { return []Edit{{file, old, becomes}} }

// All lists every guard.
func All() []Guard {
	return slices.Concat(sending, outcomes, intake, epochs, rebuild, history, sizes, provider, actions, actionsOnRecord, oneShots, parking, showing, resolves, replays, books)
}

// Select answers the guards that the given texts name, in any letter case. A guard's name begins
// with the text, or contains it if it is longer than a rule's name. Without texts all are
// answered. A text that names no guard is an error.
func Select(guards []Guard, texts []string) ([]Guard, error) {
	if len(texts) == 0 {
		return guards, nil
	}
	found := map[string]bool{}
	var selected []Guard
	for _, g := range guards {
		taken := false
		for _, text := range texts {
			name, part := strings.ToLower(g.Name), strings.ToLower(strings.TrimSpace(text))
			if strings.HasPrefix(name, part) || len(part) > 2 && strings.Contains(name, part) {
				found[text], taken = true, true
			}
		}
		if taken {
			selected = append(selected, g)
		}
	}
	for _, text := range texts {
		if !found[text] {
			return nil, fmt.Errorf("no guard is called %q: see --list", text)
		}
	}
	return selected, nil
}

// Sample draws n of the guards' mutants; the same seed draws the same ones.
func Sample(guards []Guard, n int, seed uint64) []Guard {
	all := places(guards)
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return only(guards, all[:min(n, len(all))])
}

// Part is one of n parts of the guards' mutants, in the table's order. The parts are about equally
// long, and together they are the whole. The first part is 1.
func Part(guards []Guard, part, n int) []Guard {
	all := places(guards)
	return only(guards, all[len(all)*(part-1)/n:len(all)*part/n])
}

// A place is where a mutant stands in a list of guards.
type place struct{ guard, mutant int }

func places(guards []Guard) []place {
	var all []place
	for g, guard := range guards {
		for m := range guard.Mutants {
			all = append(all, place{g, m})
		}
	}
	return all
}

// only leaves out all mutants but those at the places.
func only(guards []Guard, at []place) []Guard {
	taken := map[int][]Mutant{}
	for _, p := range at {
		taken[p.guard] = append(taken[p.guard], guards[p.guard].Mutants[p.mutant])
	}
	var left []Guard
	for g, guard := range guards {
		if guard.Mutants = taken[g]; len(guard.Mutants) > 0 {
			left = append(left, guard)
		}
	}
	return left
}

// mutated answers the files that an overlay replaces, by their path below root, or why the
// mutant doesn't fit the source any more.
func (m Mutant) mutated(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range m.Edits {
		text, seen := texts[e.File]
		if !seen {
			raw, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		switch n := strings.Count(text, e.Old); {
		case e.Old == "" || e.Old == e.New:
			return nil, fmt.Errorf("%s: the edit changes nothing", e.File)
		case n != 1:
			return nil, fmt.Errorf("%s: the text to replace occurs %d times, not once: %q", e.File, n, e.Old)
		}
		texts[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("no edit")
	}
	return texts, nil
}
