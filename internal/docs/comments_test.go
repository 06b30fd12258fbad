package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"disburser/internal/mutants"
)

// comment is a block of comments, without its marks. It begins at a line of its file.
type comment struct {
	file string
	line int
	text string
}

// Sentences of comments are short.
func TestSentencesOfComments(t *testing.T) {
	seen := 0
	for _, c := range comments(t) {
		seen++
		short(t, c.file, c.line, c.text)
	}
	if seen < 4000 {
		t.Errorf("only %d comments were found: is the search still right?", seen)
	}
}

// The guards' sentences are short.
func TestSentencesOfGuards(t *testing.T) {
	for _, g := range mutants.All() {
		short(t, "internal/mutants, "+g.Name, 0, g.Name+".\n"+g.Without)
		for _, m := range g.Mutants {
			short(t, "internal/mutants, "+g.Name, 0, m.Removes)
		}
	}
}

// Words that have another one in the glossary of docs/design.md. Only such words are listed as
// are never needed in another meaning.
var banned = map[*regexp.Regexp]string{
	regexp.MustCompile(`(?i)\bcrumbs?\b`):                    "linger",
	regexp.MustCompile(`(?i)\bbreath\b`):                     "debounce",
	regexp.MustCompile(`(?i)\bcompany\b`):                    "linger",
	regexp.MustCompile(`(?i)\bunder way\b`):                  "in flight",
	regexp.MustCompile(`(?i)\b(?:pace|paces|paced)\b`):       "throttle",
	regexp.MustCompile(`(?i)\bkept (?:ask|payout|work)s?\b`): "in hand",
}

// The glossary's words are used.
func TestWordsOfTheGlossary(t *testing.T) {
	for _, c := range comments(t) {
		for line, text := range strings.Split(c.text, "\n") {
			for word, instead := range banned {
				if found := word.FindString(text); found != "" {
					t.Errorf("%s:%d: %q: the glossary of docs/design.md says %q", c.file, c.line+line, found, instead)
				}
			}
		}
	}
}

// comments answers those of all Go files and Lua scripts, but not of the scripts of an earlier layout.
func comments(t *testing.T) (found []comment) {
	t.Helper()
	for name, text := range readTree(t).texts {
		switch {
		case strings.Contains(name, "/testdata/"):
		case strings.HasSuffix(name, ".go"):
			found = append(found, ofGo(t, name, text)...)
		case strings.HasSuffix(name, ".lua"):
			found = append(found, ofLua(name, text)...)
		}
	}
	return found
}

func ofGo(t *testing.T, name, text string) (found []comment) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		found = append(found, comment{name, files.Position(group.Pos()).Line, inner(group)})
	}
	return found
}

// directive is a comment for a tool.
var directive = regexp.MustCompile(`^//(?:[a-z]+:|nolint|export )`)

// inner answers the text of a group line by line. Directives and code, which is indented as gofmt
// does it, become empty lines.
func inner(group *ast.CommentGroup) string {
	var lines []string
	list := false
	for _, c := range group.List {
		line := strings.TrimPrefix(strings.TrimPrefix(c.Text, "//"), " ")
		switch indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"); {
		case directive.MatchString(c.Text), strings.HasPrefix(line, "\t"):
			line = ""
		case begins.MatchString(line):
			list = true
		case !indented && line != "":
			list = false
		case indented && !list:
			line = ""
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// remark is a comment of Lua. No script has "--" in a string.
var remark = regexp.MustCompile(`--+ ?(.*)$`)

func ofLua(name, text string) (found []comment) {
	whole := false // the line before was a comment from its beginning
	for i, line := range strings.Split(text, "\n") {
		m := remark.FindStringSubmatchIndex(line)
		begins := m != nil && strings.TrimSpace(line[:m[0]]) == ""
		switch {
		case m == nil:
		case begins && whole:
			found[len(found)-1].text += "\n" + line[m[2]:m[3]]
		default:
			found = append(found, comment{name, i + 1, line[m[2]:m[3]]})
		}
		whole = begins
	}
	return found
}
