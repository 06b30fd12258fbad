package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Rules is what config must be told, as it imports nobody who knows.
type Rules struct {
	// Countries maps the name of each country that the provider package knows to
	// whether its merchants need accept_unverified. nil = any country will do.
	Countries map[string]bool

	LookupEnv func(string) (string, bool)  // nil = os.LookupEnv
	ReadFile  func(string) ([]byte, error) // nil = os.ReadFile

	// CheckMerchant looks deeper than config can: the provider package's own rules.
	// It sees every merchant whose country is good; nil = none. What it says about a
	// key that is wrong already is dropped. Its texts must not print secrets.
	CheckMerchant func(name string, m Merchant) []Problem
}

// Load reads the file at path, and what its secret_file keys name (relative to
// where the program runs). The strings are warnings: worth a log line, no reason
// to stop. An error that comes of the content is Problems.
func Load(path string, rules Rules) (Config, []string, error) {
	rules = rules.complete()
	text, err := rules.ReadFile(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, text, rules)
}

// Parse is Load for a text at hand; name stands in front of every problem.
func Parse(name string, text []byte, rules Rules) (Config, []string, error) {
	r := &reader{file: name, rules: rules.complete(), places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
	c := Default()
	if root := r.parse(text); root != nil {
		r.read(value{node: root, line: 1}, section(c.keys()))
		r.check(c)
	}
	r.problems.sort()
	r.warnings.sort()
	if len(r.problems) > 0 {
		return Config{}, r.warnings.lines(), r.problems
	}
	return c, r.warnings.lines(), nil
}

func (rules Rules) complete() Rules {
	if rules.LookupEnv == nil {
		rules.LookupEnv = os.LookupEnv
	}
	if rules.ReadFile == nil {
		rules.ReadFile = os.ReadFile
	}
	return rules
}

// parse returns the root of the one document. An empty file is an empty root, so
// that the required keys are named; nil means that a problem was told.
func (r *reader) parse(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1}
	}
	if err == nil {
		err = decoder.Decode(&more)
		if errors.Is(err, io.EOF) {
			return document.Content[0]
		}
	}
	if err != nil {
		r.problems = append(r.problems, syntaxProblem(r.file, text, err))
		return nil
	}
	r.problems = append(r.problems, Problem{File: r.file, Line: more.Line, Text: "is a second document (---): the file must be one"})
	return nil
}

var (
	syntaxText = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	anchorText = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	// oneShort are the texts of yaml/v3's parser (not its scanner), which counts lines
	// from 0, and one whose line is that of the text before the mistake.
	oneShort  = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',' or)|^found (undefined tag|duplicate|incompatible)|violates indentation`)
	lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]") // as YAML 1.1 has it
)

// syntaxProblem rewords what the YAML library says: one of its texts repeats a
// piece of the file, which may be a password, and some are a line short.
func syntaxProblem(file string, text []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Text: "is not YAML"}
	match := syntaxText.FindStringSubmatch(err.Error())
	if match == nil {
		return p
	}
	if n, err := strconv.Atoi(match[1]); err == nil {
		p.Line = n
		if oneShort.MatchString(match[2]) {
			p.Line++
		}
		p.Line = min(p.Line, lineCount(text)) // the library's end of a file may be past it
	}
	if anchor := anchorText.FindStringSubmatch(match[2]); anchor != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+anchor[1]))
		p.Line = lineCount(before)
		p.Text = needsQuotes
		return p
	}
	p.Text = "is not YAML: " + match[2]
	if strings.HasSuffix(match[2], "or '}'") || strings.HasSuffix(match[2], "or ']'") {
		p.Text += "; inside { } and [ ] a value such as ${NAME} needs quotes"
	}
	return p
}

func lineCount(text []byte) int { return 1 + len(lineBreak.FindAllIndex(text, -1)) }
