package bench

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/internal/harness"
)

// reading is what was used up to a moment, or, as a difference, between two.
type reading struct {
	at       time.Time
	Took     time.Duration      `json:"took"`
	Results  float64            `json:"results"`
	CPU      time.Duration      `json:"cpu"` // of all instances
	Redis    time.Duration      `json:"redis"`
	Kafka    time.Duration      `json:"kafka"`
	Paysim   time.Duration      `json:"paysim"`
	Commands float64            `json:"commands"` // those inside of scripts too
	Reads    float64            `json:"requests"` // a pipeline is one
	Stored   float64            `json:"aofBytes"` // what Redis appended to its log
	Calls    map[string]float64 `json:"calls"`    // by Redis' command
	Micros   map[string]float64 `json:"micros"`   // of Redis, by its command
	RSS      float64            `json:"rssMiB"`   // of all instances, at the end
	Largest  float64            `json:"rssLargestMiB"`
}

// watchedScripts are the journal's scripts that a running instance calls again and again.
var watchedScripts = []string{"insert", "due", "lease", "apply", "marks", "counts"}

// scriptCalls counts the calls of the journal's scripts by all instances. It isn't part of a
// reading, because writing the metrics costs an instance some CPU.
func scriptCalls(ctx context.Context, all []*harness.Instance) map[string]float64 {
	calls := map[string]float64{}
	for _, i := range all {
		_, body := i.Get(ctx, "/metrics")
		for _, name := range watchedScripts {
			calls[name] += sumOf(body, "disburser_journal_seconds_count", fmt.Sprintf("script=%q", name))
		}
	}
	return calls
}

// reading reads all counters. What it asks of Redis itself is taken off by since.
func (t *site) reading(ctx context.Context, all []*harness.Instance) reading {
	r := reading{Calls: map[string]float64{}, Micros: map[string]float64{}}
	for _, p := range all {
		r.RSS += mib(p.Memory("VmRSS"))
		r.Largest += mib(p.Memory("VmHWM"))
	}
	r.Results = float64(t.writtenIn(ctx, t.topics.Results, 3))
	info, _ := t.redis.Info(ctx, "everything").Result() // a figure that is missing shows as zero
	r.at = time.Now()
	r.Redis = time.Duration((infoField(info, "used_cpu_user") + infoField(info, "used_cpu_sys")) * float64(time.Second))
	r.Commands, r.Reads, r.Stored = infoField(info, "total_commands_processed"), infoField(info, "total_reads_processed"), infoField(info, "aof_current_size")
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name, is := strings.CutPrefix(name, "cmdstat_"); is {
			r.Calls[name], r.Micros[name] = statField(value, "calls"), statField(value, "usec")
		}
	}
	for _, p := range all {
		r.CPU += p.CPU()
	}
	r.Kafka, r.Paysim = harness.CPUOf(t.kafkaPID), t.provider.CPU()
	return r
}

// statField is a number of a line of Redis' command statistics: calls=1,usec=2,…
func statField(line, name string) float64 {
	for field := range strings.SplitSeq(line, ",") {
		if value, found := strings.CutPrefix(field, name+"="); found {
			f, _ := strconv.ParseFloat(value, 64)
			return f
		}
	}
	return 0
}

// since is what was used between two readings, without what the second one asked itself.
func (r reading) since(before reading) reading {
	d := r
	d.Took, d.Results = r.at.Sub(before.at), r.Results-before.Results
	d.CPU, d.Redis, d.Kafka, d.Paysim = r.CPU-before.CPU, r.Redis-before.Redis, r.Kafka-before.Kafka, r.Paysim-before.Paysim
	d.Commands, d.Reads, d.Stored = r.Commands-before.Commands-1, r.Reads-before.Reads-1, r.Stored-before.Stored
	for _, m := range []struct{ now, before map[string]float64 }{{r.Calls, before.Calls}, {r.Micros, before.Micros}} {
		for name := range m.now {
			m.now[name] -= m.before[name]
		}
	}
	return d
}

// top are the commands that took most of Redis' time, as calls a second × microseconds each.
func (r reading) top(n int) string {
	names := slices.SortedFunc(maps.Keys(r.Micros), func(a, b string) int { return int(r.Micros[b] - r.Micros[a]) })
	var s []string
	for _, name := range names[:min(n, len(names))] {
		if calls := r.Calls[name]; calls > 0 {
			s = append(s, name+" "+number(calls/r.Took.Seconds())+"/s × "+number(r.Micros[name]/calls)+" µs")
		}
	}
	return strings.Join(s, ", ")
}

// share is percent of a core.
func (r reading) share(d time.Duration) float64 { return 100 * d.Seconds() / r.Took.Seconds() }

// measure is what was used while it watched, and the calls of scripts. A program that ends
// meanwhile is an error.
func (t *site) measure(ctx context.Context, all []*harness.Instance, watch time.Duration) (used reading, scripts map[string]float64, err error) {
	earlier, before := scriptCalls(ctx, all), t.reading(ctx, all)
	harness.Pause(ctx, watch)
	used = t.reading(ctx, all).since(before)
	scripts = scriptCalls(ctx, all)
	for name := range scripts {
		scripts[name] -= earlier[name]
	}
	for _, i := range all {
		if !i.Running() {
			return used, scripts, fmt.Errorf("%s ended:\n%s", i.Name, i.Tail())
		}
	}
	return used, scripts, nil
}

func scriptsPerSecond(scripts map[string]float64, took time.Duration) string {
	var s []string
	for _, name := range watchedScripts {
		s = append(s, name+" "+number(scripts[name]/took.Seconds()))
	}
	return strings.Join(s, ", ")
}

// keepProfiles saves, where they are wanted, five seconds of what an instance does, its heap and
// its metrics. It comes after what is measured, because profiles cost something themselves.
func (t *site) keepProfiles(ctx context.Context, row string, i *harness.Instance) {
	if t.Profile == "" {
		return
	}
	for name, path := range map[string]string{"cpu.pprof": "/debug/pprof/profile?seconds=5", "heap.pprof": "/debug/pprof/heap?gc=1", "metrics.txt": "/metrics"} {
		if status, body := i.Get(ctx, path); status == http.StatusOK {
			_ = os.WriteFile(filepath.Join(t.Profile, row+"-"+name), body, 0o600) // a profile more or less
		}
	}
}
