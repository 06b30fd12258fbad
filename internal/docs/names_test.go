package docs

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// each walks all code spans and shell lines of all documents.
func each(t *testing.T, visit func(all tree, document, text string)) {
	t.Helper()
	all := readTree(t)
	seen := 0
	for _, name := range all.documents() {
		for _, text := range commands(all.texts[name]) {
			seen++
			visit(all, name, text)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d names were found in the documents: are the patterns still right?", seen)
	}
}

// Links lead to files and headings that exist.
func TestLinks(t *testing.T) {
	all := readTree(t)
	for _, name := range all.documents() {
		for _, m := range link.FindAllStringSubmatch(fences.ReplaceAllString(all.texts[name], ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if !all.paths[target] {
				t.Errorf("%s links to %s, which doesn't exist", name, m[1])
			} else if anchor != "" && !slices.Contains(anchors(all.texts[target]), anchor) {
				t.Errorf("%s links to %s: there is no such heading", name, m[1])
			}
		}
	}
}

// theirs are files of other people's, or of the reader's own, that a document names.
var theirs = map[string]bool{
	"disburser.yaml": true, "mine.jsonl": true, "kafka-consumer-groups.sh": true, "kafka-topics.sh": true, "kafka-configs.sh": true,
	"kafka-acls.sh": true, "kafka-delete-records.sh": true, "kafka-dump-log.sh": true, "redis.conf": true, "server.properties": true,
}

// Files and folders that are named exist.
func TestFiles(t *testing.T) {
	file := regexp.MustCompile(`(?:^|[\s=("])((?:\./)?[A-Za-z_.][\w.-]*(?:/[\w.-]+)*\.(?:go|lua|sh|md|ya?ml|mod|json))(?::[0-9]+)?(?:$|[\s,;:)"])`)
	each(t, func(all tree, document, text string) {
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			name := strings.TrimPrefix(m[1], "./")
			if !all.has(name) && !theirs[path.Base(name)] {
				t.Errorf("%s names the file %s, which doesn't exist (in %q)", document, name, text)
			}
		}
		for _, m := range regexp.MustCompile(`(?:^| )\./([a-z][\w/-]*)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "bin/") && !all.has(m[1]) {
				t.Errorf("%s names ./%s, which doesn't exist (in %q)", document, m[1], text)
			}
		}
		name, _, isFolder := strings.Cut(text, "/")
		if isFolder && all.paths[name] && !strings.ContainsAny(text, " *…{<(\"") && !all.has(text) {
			t.Errorf("%s names %s, which doesn't exist", document, text)
		}
	})
}

// Make targets and the variables given to them exist.
func TestMakeTargets(t *testing.T) {
	call := regexp.MustCompile(`^((?:[A-Z_]+=\S+ +)*)make((?: +(?:[A-Z_]+=(?:"[^"]*"|\S+)|[a-z][a-z-]*))+)$`)
	each(t, func(all tree, document, text string) {
		m := call.FindStringSubmatch(text)
		if m == nil {
			return
		}
		file := all.texts["Makefile"]
		for _, word := range regexp.MustCompile(`[A-Z_]+=(?:"[^"]*"|\S+)|\S+`).FindAllString(m[1]+m[2], -1) {
			if name, _, is := strings.Cut(word, "="); is {
				if !regexp.MustCompile(`\b` + name + `\b`).MatchString(file + all.texts["deployments/local/servers.sh"]) {
					t.Errorf("%s: make knows nothing of %s (in %q)", document, name, text)
				}
			} else if !regexp.MustCompile(`(?m)^` + word + `:`).MatchString(file) {
				t.Errorf("%s: there is no make target %s (in %q)", document, word, text)
			}
		}
	})
}

// programs are those of this project, with the folder of each.
var programs = map[string]string{
	"disburser": "cmd/disburser", "payctl": "cmd/payctl", "backoffice": "cmd/backoffice", "paysim": "cmd/paysim", "demo": "cmd/demo", "bench": "internal/bench/cmd/bench",
	"mutants": "internal/mutants/cmd/mutants", "chaos": "internal/chaos/cmd/chaos", "floor": "internal/bench/cmd/floor",
	"topics": "deployments/local/topics",
}

// Programs that are named exist, and so do their commands and flags.
func TestPrograms(t *testing.T) {
	call := regexp.MustCompile(`(?:^|[;&|] *)(?:[A-Z_]+=\S+ +)*(\./bin/|bin/)?([a-z]+)((?: +[^\s|&>;]+)*)`)
	flag := regexp.MustCompile(`--([a-z][a-z-]*)`)
	each(t, func(all tree, document, text string) {
		for _, m := range call.FindAllStringSubmatch(text, -1) {
			folder, ours := programs[m[2]]
			if m[1] != "" && !ours {
				t.Errorf("%s runs bin/%s, which no make target builds (in %q)", document, m[2], text)
			}
			if !ours || m[1] == "" && !strings.Contains(m[3], "--") {
				continue // a word, or a name without flags
			}
			if !all.paths[folder+"/main.go"] {
				t.Errorf("%s: there is no %s", document, folder)
			}
			source := all.code(folder+"/") + all.code("internal/cli/")
			if m[2] == "paysim" {
				source += all.code("paypro/paysim/") // the faults
			}
			for _, f := range flag.FindAllStringSubmatch(m[3], -1) {
				if f[1] != "help" && !strings.Contains(source, `"`+f[1]+`"`) && !strings.Contains(source, "--"+f[1]) {
					t.Errorf("%s: %s has no flag --%s (in %q)", document, m[2], f[1], text)
				}
			}
		}
		if rest, is := strings.CutPrefix(strings.TrimPrefix(text, "./bin/"), "disburser "); is {
			command, _, _ := strings.Cut(rest, " ")
			if regexp.MustCompile(`^[a-z]+$`).MatchString(command) && !strings.Contains(all.code("cmd/disburser/"), `"`+command+`"`) {
				t.Errorf("%s: disburser has no command %s", document, command)
			}
		}
		if m := regexp.MustCompile(`servers\.sh ([a-z-]+)`).FindStringSubmatch(text); m != nil && !strings.Contains(all.texts["deployments/local/servers.sh"], "\n#   "+m[1]+" ") {
			t.Errorf("%s: servers.sh has no command %s", document, m[1])
		}
	})
}

// Tests, benchmarks and fuzz targets that are named exist.
func TestTests(t *testing.T) {
	test := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark|Example)[A-Z]\w*`)
	declared := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`).FindAllStringSubmatch(readTree(t).code(""), -1) {
		declared[m[1]] = true
	}
	each(t, func(_ tree, document, text string) {
		for _, name := range test.FindAllString(text, -1) {
			if !declared[name] {
				t.Errorf("%s names %s, which doesn't exist", document, name)
			}
		}
	})
}

// Metrics that are named exist.
func TestMetrics(t *testing.T) {
	metric := regexp.MustCompile(`\bdisburser_[a-z_]+[a-z]`)
	code := readTree(t).code("")
	each(t, func(_ tree, document, text string) {
		for _, name := range metric.FindAllString(text, -1) {
			base := name
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			base = strings.TrimPrefix(base, "disburser_")
			if !strings.Contains(code, `"`+base+`"`) && !strings.Contains(code, `"disburser_`+base+`"`) {
				t.Errorf("%s names the metric %s, which doesn't exist", document, name)
			}
		}
	})
}
