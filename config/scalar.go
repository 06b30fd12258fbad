package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"disburser/payout/secrets"
)

// bare are values that need no quotes in a message: numbers, durations, variables.
var bare = regexp.MustCompile(`^(true|false|-?[0-9.]+[0-9a-zµ.]*|[^"\\\s]*\$\{[^"\\\s]*)$`)

// scalar reads one value; want is what it must be, in plain words.
func scalar[T any](to *T, want string, parse func(string) (T, error)) into {
	return func(r *reader, v value) {
		text, ok := r.text(v, want)
		if !ok {
			return
		}
		got, err := parse(text)
		if err != nil {
			r.wrong(v, "must be %s, is %s", want, shown(v.node))
			return
		}
		*to = got
	}
}

// text returns the expanded text of a single value.
func (r *reader) text(v value, want string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		r.wrong(v, "must be %s, is %s", want, kind(v.node))
		return "", false
	}
	text, err := expand(v.node.Value, r.rules.LookupEnv)
	if err != nil {
		r.wrong(v, "%v", err)
		return "", false
	}
	return text, true
}

func text(to *string) into {
	return scalar(to, "text", func(s string) (string, error) { return s, nil })
}

// link is text that no message shows: a URL may carry a password or a token.
func link(to *string) into { return hidden(text(to)) }

func secret(to *secrets.Secret) into {
	return hidden(func(r *reader, v value) {
		text, ok := r.text(v, "text")
		if !ok {
			return
		}
		*to = secrets.New(text)
		if strings.TrimSpace(text) != text {
			r.warn(v.path, "begins or ends with white space, which is taken as part of it")
		}
	})
}

// unlessUnused reads a value that only counts where another setting switches it on: a
// variable that isn't set is a mistake then, and not before. check.go decides.
func unlessUnused(to into) into {
	return func(r *reader, v value) {
		if v.node.Kind == yaml.ScalarNode {
			if _, err := expand(v.node.Value, r.rules.LookupEnv); err != nil {
				r.unset[v.path] = err.Error()
				return
			}
		}
		to(r, v)
	}
}

func hidden(to into) into {
	return func(r *reader, v value) {
		r.places[v.path] = place{line: v.line}
		to(r, v)
	}
}

func truth(to *bool) into {
	return scalar(to, "true or false", func(s string) (bool, error) {
		s = strings.TrimSpace(s)
		if s != "true" && s != "false" {
			return false, errors.New("neither")
		}
		return s == "true", nil
	})
}

func whole(to *int) into {
	return scalar(to, "a whole number", func(s string) (int, error) { return strconv.Atoi(strings.TrimSpace(s)) })
}

func number(to *float64) into {
	return scalar(to, "a number", func(s string) (float64, error) {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			err = errors.New("no number to count with")
		}
		return f, err
	})
}

func duration(to *time.Duration) into {
	return scalar(to, "a duration such as 10s, 5m, 72h or 30d", parseDuration)
}

// parseDuration is Go's, with days in front: an operator thinks of a memory of 30d.
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	const most = 10000 // keeps the sum far from overflow
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || n > most {
		return 0, errors.New("not a number of days")
	}
	if rest == "" {
		rest = "0"
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > most*time.Hour {
		return 0, errors.New("not a duration")
	}
	return time.Duration(n)*24*time.Hour + d, nil
}

// texts reads a list of texts.
func texts(to *[]string) into {
	return func(r *reader, v value) {
		if v.node.Kind != yaml.SequenceNode {
			r.wrong(v, "must be a list such as [a, b], is %s", kind(v.node))
			return
		}
		*to = nil
		for i, node := range v.node.Content {
			var one string
			element := value{node: node, path: fmt.Sprintf("%s[%d]", v.path, i), line: node.Line}
			r.read(element, text(&one))
			if r.places[element.path].wrong {
				r.places[v.path] = place{line: v.line, wrong: true} // no second problem for the list
			}
			*to = append(*to, one)
		}
	}
}

// addresses reads a list of host:port, or one text with commas between them, as
// it comes from a variable; each element may hold several, for the same reason.
func addresses(to *[]string) into {
	return func(r *reader, v value) {
		all := []string{""}
		if v.node.Kind == yaml.ScalarNode {
			text(&all[0])(r, v)
		} else {
			texts(&all)(r, v)
		}
		*to = nil
		for _, one := range strings.Split(strings.Join(all, ","), ",") {
			if one = strings.TrimSpace(one); one != "" {
				*to = append(*to, one)
			}
		}
		if bad := slices.IndexFunc(*to, func(s string) bool { return !isAddress(s) }); bad >= 0 {
			r.bad(v.path, "must be host:port each, number %d is not", bad+1)
		}
		if repeats(*to) {
			r.bad(v.path, "names an address twice")
		}
	}
}

// isAddress tells a host:port that can be dialled.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isPort(port, 1) && host != "" && !strings.ContainsAny(host, "/@ ")
}

func isPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

func repeats(list []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) < len(list)
}
