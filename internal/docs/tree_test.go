package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// tree is the repository as a reader of the documents needs it.
type tree struct {
	paths map[string]bool   // of files and folders, from the root
	texts map[string]string // of the files that people write
}

// written are the files that people write: others are data.
var written = regexp.MustCompile(`\.(md|go|lua|sh|ya?ml)$|^Makefile$|^\.ci/run$|Dockerfile$`)

func readTree(t *testing.T) tree {
	t.Helper()
	all, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var once = sync.OnceValues(func() (tree, error) {
	all := tree{map[string]bool{}, map[string]string{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if name == ".git" || name == "bin" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		all.paths[name] = true
		if d.IsDir() || !written.MatchString(name) {
			return nil
		}
		text, err := os.ReadFile(path)
		all.texts[name] = string(text)
		return err
	})
	return all, err
})

// documents answers the names of the files for people, in order.
func (all tree) documents() (names []string) {
	for name := range all.texts {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// code answers everything that isn't a document in one text.
func (all tree) code(where string) string {
	var b strings.Builder
	for name, text := range all.texts {
		if strings.HasPrefix(name, where) && !strings.HasSuffix(name, ".md") {
			b.WriteString(text)
		}
	}
	return b.String()
}

// has tells whether a path exists, from the root or from some folder on: `state.go` and
// `lua/take.lua` do, where only one thing can be meant.
func (all tree) has(path string) bool {
	path = strings.TrimSuffix(path, "/")
	if all.paths[path] {
		return true
	}
	for name := range all.paths {
		if strings.HasSuffix(name, "/"+path) {
			return true
		}
	}
	return false
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fences  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	span    = regexp.MustCompile("`[^`\n]+`")
)

// headings answers those of a document, without the code in it.
func headings(document string) (titles []string) {
	for _, m := range heading.FindAllStringSubmatch(fences.ReplaceAllString(document, ""), -1) {
		titles = append(titles, m[1])
	}
	return titles
}

// anchors answers the anchors of the headings as GitHub makes them.
func anchors(document string) (all []string) {
	for _, title := range headings(document) {
		var b strings.Builder
		for _, r := range strings.ToLower(title) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				b.WriteRune(r)
			}
		}
		all = append(all, b.String())
	}
	return all
}

// commands answers what a document shows as typed or named: its code spans, and the lines
// of its shell blocks without their remarks.
func commands(document string) (all []string) {
	for _, m := range fences.FindAllStringSubmatch(document, -1) {
		if m[1] != "sh" && m[1] != "bash" {
			continue
		}
		for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", " ")) {
			line, _, _ = strings.Cut(" "+line, " #")
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, line)
			}
		}
	}
	for _, s := range span.FindAllString(fences.ReplaceAllString(document, ""), -1) {
		all = append(all, strings.Trim(s, "`"))
	}
	return all
}
