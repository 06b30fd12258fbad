package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parse returns the root of the one document in text. An empty file has an empty root, so that the keys
// it lacks are named. nil means that a problem was told.
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

// syntaxProblem says why a text is not YAML, and on which line.
func syntaxProblem(file string, text []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Text: "is not YAML"}
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return p
	}
	p.Line = syntaxLine(text, e)
	switch e.Stage {
	case yaml.ReaderStage, yaml.ScannerStage, yaml.ParserStage: // their messages repeat one character of the file at most
		p.Text = "is not YAML: " + e.Message
	case yaml.ComposerStage: // an alias without its anchor. The message repeats its name: it may be a password that begins with *
		p.Text = needsQuotes
	default:
	}
	if e.Stage == yaml.ParserStage && atBareVariable(text, e.Mark) {
		p.Text += "; inside { } and [ ] a value such as ${NAME} needs quotes"
	}
	return p
}

// syntaxLine is the line to look at.
func syntaxLine(text []byte, e *yaml.LoadError) int {
	line := e.Mark.Line
	switch {
	case e.Stage == yaml.ReaderStage: // it knows the byte only
		line = lineCount(text[:min(e.Mark.Index, len(text))])
	case e.ContextMark.Line > 0 && e.Mark.Index >= utf8.RuneCount(withoutBOM(text)):
		line = e.ContextMark.Line // the file ends too early: the line where the unfinished part begins
	}
	return min(max(line, 1), lineCount(text)) // the library adds a line break to a file without one at its end
}

var lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]") // as YAML 1.1 has it

func lineCount(text []byte) int { return 1 + len(lineBreak.FindAllIndex(text, -1)) }

// atBareVariable tells that a mark is at the brace of ${NAME}, which YAML takes for the beginning of a mapping.
func atBareVariable(text []byte, mark yaml.Mark) bool {
	characters := []rune(string(withoutBOM(text)))
	i := mark.Index
	return i > 0 && i < len(characters) && characters[i-1] == '$' && characters[i] == '{'
}

// withoutBOM is the text whose characters a mark counts.
func withoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\uFEFF")) }
