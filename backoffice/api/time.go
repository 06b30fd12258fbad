package api

import (
	"errors"
	"time"
)

// Time is a time as people write it: RFC 3339, or a day, which is its first moment in UTC.
type Time struct{ time.Time }

// UnmarshalText reads one.
func (t *Time) UnmarshalText(text []byte) (err error) {
	if t.Time, err = time.Parse(time.RFC3339, string(text)); err == nil {
		return nil
	}
	if t.Time, err = time.Parse(time.DateOnly, string(text)); err == nil {
		return nil
	}
	return errors.New("must be a time such as 2026-11-25T08:00:00Z, or a day such as 2026-11-25, which begins at midnight UTC")
}
