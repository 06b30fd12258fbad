package message

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// rfc3339 is the grammar of RFC 3339. time.Parse takes more: an hour of one digit, a comma before the
// fraction, an offset of 60 minutes. Which day a month has is left to time.Parse.
var rfc3339 = regexp.MustCompile(`\A\d{4}-(0[1-9]|1[0-2])-\d{2}[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)\z`)

// second is where the seconds stand in such a text.
const second = len("2026-11-25T06:00:")

var (
	errNoTime     = errors.New("must be a time such as 2026-11-25T06:00:00Z")
	errLeapSecond = errors.New("is a leap second, which can't be kept: take the second before or after it")
)

// ParseTime reads a time by the grammar of RFC 3339, small t and z too, and answers it in
// UTC. A leap second is refused by name: nothing here could tell it from the next minute.
func ParseTime(text string) (time.Time, error) {
	if !rfc3339.MatchString(text) {
		return time.Time{}, errNoTime
	}
	if text[second:second+2] == "60" {
		return time.Time{}, errLeapSecond
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil {
		return time.Time{}, errNoTime
	}
	return t.UTC(), nil
}
