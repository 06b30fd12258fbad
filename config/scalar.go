package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"disburser/payout/secrets"
)

// scalar is how a single value of a Go type is written in the file.
type scalar struct {
	must  string // be in messages: "must be a whole number"
	parse func(text string) (any, error)
}

// scalars are the types of single values that a field may have.
var scalars = map[reflect.Type]scalar{
	reflect.TypeFor[string]():         {"text", func(s string) (any, error) { return s, nil }},
	reflect.TypeFor[secrets.Secret](): {"text", func(s string) (any, error) { return secrets.New(s), nil }},
	reflect.TypeFor[bool]():           {"true or false", parseTruth},
	reflect.TypeFor[int]():            {"a whole number", func(s string) (any, error) { return strconv.Atoi(strings.TrimSpace(s)) }},
	reflect.TypeFor[float64]():        {"a number", parseNumber},
	reflect.TypeFor[time.Duration]():  {"a duration such as 10s, 5m, 72h or 30d", parseDuration},
}

func parseTruth(s string) (any, error) {
	s = strings.TrimSpace(s)
	if s != "true" && s != "false" {
		return nil, errors.New("neither")
	}
	return s == "true", nil
}

func parseNumber(s string) (any, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		err = errors.New("no number to count with")
	}
	return f, err
}

// parseDuration is Go's, with days in front: an operator thinks of 30d, not of 720h.
func parseDuration(s string) (any, error) {
	s = strings.TrimSpace(s)
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	const most = 10000 // keeps the sum far from overflow
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || n > most {
		return nil, errors.New("not a number of days")
	}
	if rest == "" {
		rest = "0"
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > most*time.Hour {
		return nil, errors.New("not a duration")
	}
	return time.Duration(n)*24*time.Hour + d, nil
}

// readScalar reads a single value.
func (r *reader) readScalar(v value, k key, to reflect.Value) {
	if k.secret {
		r.places[v.path] = place{line: v.line} // without what the file has there
	}
	if k.unsetAllowed && r.lacksVariable(v) {
		return
	}
	kind := scalars[to.Type()]
	text, ok := r.text(v, kind.must)
	if !ok {
		return
	}
	parsed, err := kind.parse(text)
	if err != nil {
		r.wrong(v, "must be %s, is %s", kind.must, shown(v.node))
		return
	}
	to.Set(reflect.ValueOf(parsed))
	if _, isSecret := parsed.(secrets.Secret); isSecret && strings.TrimSpace(text) != text {
		r.warn(v.path, "begins or ends with white space, which is taken as part of it")
	}
}

// text returns the text of a single value, with its variables.
func (r *reader) text(v value, must string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		r.wrong(v, "must be %s, is %s", must, kindOf(v.node))
		return "", false
	}
	text, err := expand(v.node.Value, r.rules.LookupEnv)
	if err != nil {
		r.wrong(v, "%v", err)
		return "", false
	}
	return text, true
}

// lacksVariable tells that a value has a variable that isn't set, and notes it for check.go.
func (r *reader) lacksVariable(v value) bool {
	if v.node.Kind != yaml.ScalarNode {
		return false
	}
	_, err := expand(v.node.Value, r.rules.LookupEnv)
	if err != nil {
		r.unset[v.path] = err.Error()
	}
	return err != nil
}

// readList reads a list of texts, each as a value of the key.
func (r *reader) readList(v value, k key) ([]string, bool) {
	if v.node.Kind != yaml.SequenceNode {
		r.wrong(v, "must be a list such as [a, b], is %s", kindOf(v.node))
		return nil, false
	}
	var list []string
	for i, node := range v.node.Content {
		var one string
		element := value{node: node, path: fmt.Sprintf("%s[%d]", v.path, i), line: node.Line}
		r.read(element, func(v value) { r.readScalar(v, k, reflect.ValueOf(&one).Elem()) })
		if r.places[element.path].wrong {
			r.places[v.path] = place{line: v.line, wrong: true} // no second problem for the list
		}
		list = append(list, one)
	}
	return list, true
}

// readSecrets reads a list of secrets. No message shows what the file has there.
func (r *reader) readSecrets(v value) (all []secrets.Secret) {
	r.places[v.path] = place{line: v.line}
	list, _ := r.readList(v, key{secret: true})
	for _, one := range list {
		all = append(all, secrets.New(one))
	}
	return all
}

// readAddresses reads a list, or one text with commas, as it comes from a variable. For the same reason each element
// of the list may hold several.
func (r *reader) readAddresses(v value) []string {
	var list []string
	if v.node.Kind != yaml.ScalarNode {
		list, _ = r.readList(v, key{})
	} else if one, ok := r.text(v, "text"); ok {
		list = []string{one}
	}
	var all []string
	for one := range strings.SplitSeq(strings.Join(list, ","), ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

// bare are values that need no quotes in a message: numbers, durations, variables.
var bare = regexp.MustCompile(`^(true|false|-?[0-9.]+[0-9a-zµ.]*|[^"\\\s]*\$\{[^"\\\s]*)$`)

// shown is a value as the file has it. It never has what a variable holds, which may be a secret in the wrong place.
func shown(n *yaml.Node) string {
	const most = 60 // enough to recognise it
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	text := n.Value
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	if bare.MatchString(text) {
		return text
	}
	return fmt.Sprintf("%q", text)
}
