package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"disburser/internal/mutants"
)

// named is how code names rules: "protocol S4", "protocol S3, S4", "protocol E4 a".
var (
	named = regexp.MustCompile(`\bprotocol(?:'s)? ((?:[SOIEA][0-9]+(?: ?[a-e]\b)?(?:, | and | to )?)+)`)
	rule  = regexp.MustCompile(`[SOIEA][0-9]+(?: ?[a-e]\b)?`)
)

// Every rule that is named anywhere leads to a heading of docs/protocol.md.
func TestEveryRuleThatIsNamedIsWritten(t *testing.T) {
	all := readTree(t)
	have := map[string]bool{}
	for _, title := range headings(all.texts["docs/protocol.md"]) {
		name, _, _ := strings.Cut(title, " ")
		have[name] = true
	}
	if !have["S1"] || !have["E4a"] || !have["E8"] {
		t.Fatalf("docs/protocol.md has no heading for each rule: %v", have)
	}
	seen := 0
	for name, text := range all.texts {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			for _, r := range rule.FindAllString(m[1], -1) {
				seen++
				if !have[strings.ReplaceAll(r, " ", "")] {
					t.Errorf("%s names the protocol's %s, which docs/protocol.md hasn't", name, r)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d rules are named: is the pattern still right?", seen)
	}
	for _, g := range mutants.All() {
		name, _, _ := strings.Cut(g.Name, " ")
		if rule.MatchString(name) && !have[name] {
			t.Errorf("the guard %q names a rule that docs/protocol.md hasn't", g.Name)
		}
	}
}

// A section that a comment cites exists: "paypro-api.md §2.4", "README, Messages".
func TestEverySectionThatIsCitedExists(t *testing.T) {
	all := readTree(t)
	numbered := regexp.MustCompile(`paypro-api\.md §([0-9.]*[0-9])`)
	titled := regexp.MustCompile(`(README|docs/[a-z-]+\.md),[\s/#]+([A-Z][a-z]+(?: [A-Za-z]+)*)`)
	api := headings(all.texts["docs/paypro-api.md"])
	seen := 0
	for name, text := range all.texts {
		if strings.HasPrefix(name, "internal/docs/") || strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range numbered.FindAllStringSubmatch(text, -1) {
			seen++
			begins := func(title string) bool {
				return strings.HasPrefix(title, m[1]+" ") || strings.HasPrefix(title, m[1]+". ")
			}
			if !slices.ContainsFunc(api, begins) {
				t.Errorf("%s cites %s, which docs/paypro-api.md hasn't", name, m[0])
			}
		}
		for _, m := range titled.FindAllStringSubmatch(text, -1) {
			seen++
			document := m[1]
			if document == "README" {
				document = "README.md"
			}
			begins := func(title string) bool { return strings.HasPrefix(m[2], title) }
			if !slices.ContainsFunc(headings(all.texts[document]), begins) {
				t.Errorf("%s cites %q of %s, which hasn't that heading", name, m[2], document)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d sections are cited: are the patterns still right?", seen)
	}
}
