package config

import (
	"fmt"
	"strings"
	"time"
)

// This file adds problems and warnings, each with the line of its key.

// wrong tells that v can't be read.
func (r *reader) wrong(v value, text string, args ...any) {
	p := r.places[v.path]
	p.wrong = true
	r.places[v.path] = p
	r.told[v.path] = true
	r.add(v.line, v.path, fmt.Sprintf(text, args...))
}

func (r *reader) add(line int, path, text string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Key: path, Text: text})
}

// must tells a problem with what was read unless ok, and adds what the file has there.
func (r *reader) must(ok bool, path, text string, args ...any) {
	if ok {
		return
	}
	if p := r.places[path]; p.shown != "" {
		text, args = text+", is %s", append(args, p.shown)
	}
	r.bad(path, text, args...)
}

// required tells that a key is missing, or empty, unless given.
func (r *reader) required(path string, given bool) {
	if !given {
		r.bad(path, "is required")
	}
}

// bad tells a problem with path. A key that has a problem already gets no second.
func (r *reader) bad(path, text string, args ...any) {
	if !r.silenced(path) {
		r.told[path] = true
		r.add(r.lineOf(path), path, fmt.Sprintf(text, args...))
	}
}

func (r *reader) warn(path, text string) {
	r.warnings = append(r.warnings, Problem{File: r.file, Line: r.lineOf(path), Key: path, Text: text})
}

// silenced tells that path, or what it stands in, has its problem already.
func (r *reader) silenced(path string) bool {
	if r.told[path] {
		return true
	}
	for ; path != ""; path = parent(path) {
		if r.places[path].wrong {
			return true
		}
	}
	return r.places[""].wrong
}

// lineOf is the line of path, or of the nearest key around it that the file has.
func (r *reader) lineOf(path string) int {
	for ; path != ""; path = parent(path) {
		if p, ok := r.places[path]; ok {
			return p.line
		}
	}
	return 1
}

// parent cuts the last key or index off.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// brief prints 30s, not 30.0s, and 72h, not 72h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
