package docs

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// docs/safety.md names each test with its package: "journal `TestA`, `TestB`; e2e `TestC`".
// The test is declared there.
func TestEachTestStandsInItsPackage(t *testing.T) {
	all := readTree(t)
	declared := map[string]bool{} // package and test
	for name, text := range all.texts {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`).FindAllStringSubmatch(text, -1) {
			declared[path.Base(path.Dir(name))+" "+m[1]] = true
		}
	}
	const names = "`(?:Test|Fuzz)\\w+`"
	list := regexp.MustCompile(`\b([a-z0-9]+) (` + names + `(?:,\s+` + names + `)*)`)
	one := regexp.MustCompile(`\w+`)
	seen := 0
	for _, m := range list.FindAllStringSubmatch(all.texts["docs/safety.md"], -1) {
		for _, test := range one.FindAllString(m[2], -1) {
			seen++
			if !declared[m[1]+" "+test] {
				t.Errorf("docs/safety.md says that %s is a test of %s, which has no such test", test, m[1])
			}
		}
	}
	if seen < 250 {
		t.Errorf("only %d tests were found in docs/safety.md: is the pattern still right?", seen)
	}
}
