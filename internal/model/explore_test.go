package model

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"
)

// The models of people's actions have states of their own. What they share is here: the search, the
// words of a step, and what a test asks of a run.

// deed is a step in words: %i is who took it, %c is a copy of Redis.
type deed struct {
	words   string
	who, at uint8
}

func (d deed) String() string {
	return strings.NewReplacer("%i", string('A'+rune(d.who)), "%c", "Redis "+string('1'+rune(d.at))).Replace(d.words)
}

// rule is one that a run can leave out; each model has its own.
type rule uint32

func (off rule) has(one rule) bool { return off&one != 0 }

// exploration is one search: breadth first, so that the first violation is as near as any.
type exploration[S comparable] struct {
	first []S
	steps func(s *S, take func(what deed, t S)) // every step that is possible in s
	wrong func(s *S) string                     // what must never be, "" if it isn't

	seen table[S]
	from []uint32 // the state from which each was first reached
	now  uint32
	last uint32 // the state that is wrong
	bad  string
}

// search visits states until none is new, one is wrong, or there are more than most.
func (e *exploration[S]) search(most int) (complete bool) {
	e.seen.seed = maphash.MakeSeed()
	for i, s := range e.first {
		e.seen.add(s)
		e.from = append(e.from, uint32(i))
	}
	for ; int(e.now) < e.seen.len(); e.now++ {
		if e.seen.len() > most {
			return false
		}
		s := e.seen.key(e.now)
		e.steps(&s, func(_ deed, t S) {
			number, added := e.seen.add(t)
			if !added {
				return
			}
			e.from = append(e.from, e.now)
			if e.bad == "" {
				e.bad, e.last = e.wrong(&t), number
			}
		})
		if e.bad != "" {
			return false
		}
	}
	return true
}

// trace is the shortest way to what is wrong.
func (e *exploration[S]) trace() (lines []string) {
	var path []uint32
	at := e.last
	for ; e.from[at] != at; at = e.from[at] {
		path = append(path, at)
	}
	slices.Reverse(path)
	before := at
	for _, at := range path {
		s, goal, found := e.seen.key(before), e.seen.key(at), ""
		e.steps(&s, func(d deed, t S) {
			if found == "" && t == goal {
				found = d.String()
			}
		})
		lines, before = append(lines, found), at
	}
	return lines
}

// clean fails the test if anything goes wrong.
func (e *exploration[S]) clean(t *testing.T) {
	t.Helper()
	began := time.Now()
	switch complete := e.search(*limit); {
	case e.bad != "":
		t.Errorf("%s, in %d steps:\n%s", e.bad, len(e.trace()), strings.Join(e.trace(), "\n"))
	case !complete:
		t.Errorf("stopped at -limit=%d: this proves nothing", *limit)
	default:
		t.Logf("%d states in %.1f s", e.seen.len(), time.Since(began).Seconds())
	}
}

// disaster fails the test if nothing goes wrong, and tells the shortest way to it.
func (e *exploration[S]) disaster(t *testing.T, name, rule string) {
	t.Helper()
	if e.search(*limit); e.bad == "" {
		t.Fatalf("without this rule (%s) nothing went wrong in %d states: is it needed?", rule, e.seen.len())
	}
	trace := e.trace()
	var text strings.Builder
	for i, line := range trace {
		fmt.Fprintf(&text, "\n%3d  %s", i+1, line)
	}
	t.Logf("without %q (%s): %s, in %d steps%s", name, rule, e.bad, len(trace), text.String())
}
