package docs

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// longest is how many words a sentence may have: the reader's first language is another one.
const longest = 25

// plain are the documents that keep to it. The others follow as they are rewritten.
var plain = []string{"AGENTS.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/design.md", "docs/operations.md", "docs/paypro-api.md", "docs/performance.md", "docs/protocol.md", "docs/safety.md"}

// Sentences are short.
func TestSentences(t *testing.T) {
	all := readTree(t)
	for _, name := range plain {
		short(t, name, 1, all.texts[name])
	}
}

// short fails for each sentence of a text that is too long. The text begins at a line of a file.
func short(t *testing.T, file string, line int, text string) {
	t.Helper()
	for _, s := range sentences(text) {
		words := 0
		for word := range strings.FieldsSeq(s.text) {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				words++
			}
		}
		if words > longest {
			t.Errorf("%s:%d: %d words, %d at most: %s", file, line+s.line, words, longest, strings.Join(strings.Fields(s.text), " "))
		}
	}
}

var (
	target       = regexp.MustCompile(`\]\([^)]*\)`)
	begins       = regexp.MustCompile(`^\s*(?:[-*]|[0-9]+\.|#+)\s`) // an item, or a heading
	end          = regexp.MustCompile(`[.!?][*)\]"]*(?:\s+|$)`)
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|vs|etc)\.`)
)

// sentence is one of a text, with the number of lines before it.
type sentence struct {
	line int
	text string
}

// sentences cuts a document into its sentences. Each cell of a table, each item of a list and
// each heading is a sentence of its own. Blocks of code are left out.
func sentences(document string) (all []sentence) {
	document = fences.ReplaceAllStringFunc(document, func(code string) string { return strings.Repeat("\n", strings.Count(code, "\n")+1) })
	var block strings.Builder
	first, line := 0, 0
	flush := func() {
		text := abbreviation.ReplaceAllString(target.ReplaceAllString(block.String(), "]"), "$1")
		at := 0
		for _, stop := range append(end.FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
			all = append(all, sentence{first + strings.Count(text[:at], "\n"), text[at:stop[0]]})
			at = stop[1]
		}
		block.Reset()
		first = line
	}
	for text := range strings.Lines(document) {
		switch {
		case strings.HasPrefix(text, "|"):
			flush()
			for cell := range strings.SplitSeq(text, "|") {
				block.WriteString(cell)
				flush()
			}
		case strings.TrimSpace(text) == "" || begins.MatchString(text):
			flush()
			block.WriteString(begins.ReplaceAllString(text, ""))
		default:
			block.WriteString(text)
		}
		line++
	}
	flush()
	return all
}
