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
		for _, sentence := range sentences(all.texts[name]) {
			words := 0
			for word := range strings.FieldsSeq(sentence) {
				if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
					words++
				}
			}
			if words > longest {
				t.Errorf("%s: %d words: %s", name, words, sentence)
			}
		}
	}
}

var (
	target = regexp.MustCompile(`\]\([^)]*\)`)
	begins = regexp.MustCompile(`^\s*(?:[-*]|[0-9]+\.|#+)\s`) // an item, or a heading
	end    = regexp.MustCompile(`[.!?][*)\]"]*(?:\s+|$)`)
)

// sentences takes a document apart. Cells of tables, items and headings are ones of their
// own.
func sentences(document string) (all []string) {
	var block strings.Builder
	flush := func() {
		all = append(all, end.Split(target.ReplaceAllString(block.String(), "]"), -1)...)
		block.Reset()
	}
	for line := range strings.Lines(fences.ReplaceAllString(document, "\n")) {
		switch {
		case strings.HasPrefix(line, "|"):
			flush()
			for cell := range strings.SplitSeq(line, "|") {
				block.WriteString(cell)
				flush()
			}
		case strings.TrimSpace(line) == "" || begins.MatchString(line):
			flush()
			block.WriteString(begins.ReplaceAllString(line, ""))
		default:
			block.WriteString(line)
		}
	}
	flush()
	return all
}
