package config

import (
	"fmt"
	"regexp"
	"strings"
)

// reference is ${NAME} or ${NAME:-default}; the default ends at the first brace.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces the variables in a text. No error has what a variable holds.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, _, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		text = text[len(before):]
		match := reference.FindStringSubmatch(text)
		if match == nil {
			return "", fmt.Errorf("has a ${ that is neither ${NAME} nor ${NAME:-default}")
		}
		name, hasDefault, otherwise := match[1], match[2] != "", match[3]
		value, set := lookup(name)
		switch {
		case hasDefault && value == "":
			value = otherwise
		case !set:
			return "", fmt.Errorf("needs the environment variable %s, which is not set", name)
		}
		out.WriteString(value)
		text = text[len(match[0]):]
	}
}
