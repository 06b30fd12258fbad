package mutants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what to run and how to tell.
type Options struct {
	Root    string // of the repository
	Guards  []Guard
	Jobs    int           // mutants at a time
	Timeout time.Duration // of one killer
	Out     io.Writer
	Color   bool // a terminal: colours, and progress in the last line
}

// job is one mutant on its way.
type job struct {
	number  int
	guard   Guard
	mutant  Mutant
	verdict Verdict
	says    string // what a person needs to know of a verdict that is no kill
	took    time.Duration
	done    chan struct{}
}

// held tells that the mutant ended as it must.
func (j *job) held() bool {
	return j.verdict == Killed || j.mutant.Ends != "" && j.verdict == j.mutant.Ends
}

// Run runs the mutants of the guards and tells whether each was killed.
func Run(ctx context.Context, o Options) (bool, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return false, errors.New("run it in the repository's root: there is no go.mod here")
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := bench{root: root, dir: dir, timeout: o.Timeout}
	jobs := jobsOf(o.Guards)
	t := newTeller(o, jobs)
	began := time.Now()
	b.all(ctx, o.Jobs, jobs, b.baseline(ctx, o, jobs, t), t)
	if ctx.Err() != nil {
		return false, errors.New("stopped")
	}
	return t.sum(time.Since(began)), nil
}

func jobsOf(guards []Guard) []*job {
	var jobs []*job
	for _, g := range guards {
		for _, m := range g.Mutants {
			jobs = append(jobs, &job{number: len(jobs), guard: g, mutant: m, done: make(chan struct{})})
		}
	}
	return jobs
}

// baseline runs every killer on the code as it is, a package's together, and answers why
// those that don't pass prove nothing.
func (b bench) baseline(ctx context.Context, o Options, jobs []*job, t *teller) map[Killer]string {
	tests := map[string][]string{}
	var packages []string
	for _, j := range jobs {
		k := j.mutant.Killer
		if !slices.Contains(packages, k.Package) {
			packages = append(packages, k.Package)
		}
		if !slices.Contains(tests[k.Package], k.Test) {
			tests[k.Package] = append(tests[k.Package], k.Test)
		}
	}
	reasons := map[Killer]string{}
	var mu sync.Mutex
	parallel(o.Jobs, len(packages), func(i int) {
		pkg := packages[i]
		t.progress(fmt.Sprintf("the killers of %s on the code as it is", pkg))
		var said []byte
		binary, err := b.build(ctx, fmt.Sprint("base-", i), pkg, "")
		if err == nil {
			said, _ = b.run(ctx, binary, pkg, "^("+strings.Join(tests[pkg], "|")+")$", b.timeout*time.Duration(len(tests[pkg])))
			_ = os.Remove(binary)
		}
		ok := passed(said)
		mu.Lock()
		defer mu.Unlock()
		for _, test := range tests[pkg] {
			switch {
			case err != nil:
				reasons[Killer{pkg, test}] = "its killer doesn't build without a mutant either: " + err.Error()
			case !ok[test]:
				reasons[Killer{pkg, test}] = "its killer doesn't pass without a mutant either\n" + tail(said, test)
			}
		}
	})
	return reasons
}

// all runs every mutant, the table's order as far as that goes, and has them told in it.
func (b bench) all(ctx context.Context, at int, jobs []*job, reasons map[Killer]string, t *teller) {
	var telling sync.WaitGroup
	telling.Go(func() {
		for _, j := range jobs {
			<-j.done
			t.row(j)
		}
	})
	parallel(at, len(jobs), func(i int) {
		j := jobs[i]
		defer close(j.done)
		if ctx.Err() != nil {
			return
		}
		t.progress(j.guard.Name + ": " + j.mutant.Removes)
		began := time.Now()
		b.one(ctx, j, reasons)
		if j.took = time.Since(began); ctx.Err() != nil {
			j.verdict = "" // cut short: it says nothing
		}
	})
	telling.Wait()
}

// one builds a mutant and has its killer run on it.
func (b bench) one(ctx context.Context, j *job, reasons map[Killer]string) {
	k := j.mutant.Killer
	if why, found := reasons[k]; found {
		j.verdict, j.says = Unproved, why
		return
	}
	texts, err := j.mutant.mutated(b.root)
	if err != nil {
		j.verdict, j.says = Stale, err.Error()
		return
	}
	name := fmt.Sprint("mutant-", j.number)
	overlay, err := b.overlay(name, texts)
	if err != nil {
		j.verdict, j.says = Broken, err.Error()
		return
	}
	binary, err := b.build(ctx, name, k.Package, overlay)
	if err != nil {
		j.verdict, j.says = Broken, err.Error()
		return
	}
	defer func() { _ = os.Remove(binary) }()
	said, err := b.run(ctx, binary, k.Package, "^"+k.Test+"$", b.timeout)
	if j.verdict = judge(k, said, err); !j.held() {
		j.says = tail(said, k.Test)
	}
}

// parallel calls f for 0 to n-1, at most at of them at once.
func parallel(at, n int, f func(i int)) {
	var group sync.WaitGroup
	next := make(chan int)
	for range max(1, at) {
		group.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

// tail is what a test said from its failure on: enough for a person to see what it is about.
func tail(said []byte, test string) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "--- FAIL: "+test+" ") {
			lines = lines[i:]
			break
		}
	}
	return strings.Join(lines[:min(12, len(lines))], "\n")
}
