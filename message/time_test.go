package message

import (
	"testing"
	"time"
)

func TestParseTimeIsTheGrammarOfRFC3339(t *testing.T) {
	at := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-25T06:00:00Z": at, "2026-11-25t06:00:00z": at, "2026-11-25T06:00:00z": at,
		"2026-11-25T06:00:00.5Z": at.Add(500 * time.Millisecond), "2026-11-25T06:00:00.000000000000Z": at,
		"2026-11-25T08:00:00+02:00": at, "2026-11-25T05:00:00-01:00": at, "2026-11-25T06:00:00-00:00": at,
		"2026-11-26T05:59:00+23:59": at, "2028-02-29T00:00:00Z": time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "2026-11-25", "2026-11-25T6:00:00Z", "2026-11-25T06:00:00,5Z", "2026-11-25T06:00:00+02:60", "2026-11-25T06:00:00+24:00",
		"2026-11-25T06:00:00.Z", "2026-11-25T06:00:00", "2026-11-25 06:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T06:60:00Z", "2026-11-25T06:00:61Z",
		"2026-02-29T06:00:00Z", "2026-13-01T06:00:00Z", "2026-00-01T06:00:00Z", "2026-11-00T06:00:00Z", "2026-11-31T06:00:00Z", "26-11-25T06:00:00Z",
		"2026-11-25T06:00:00+0200", "2026-11-25T06:00:00+2:00", "2026-11-25T06:00Z", "2026-11-25T06:00:00Z ", " 2026-11-25T06:00:00Z", "2026-11-25T06:00:00Z\n",
		"\u0662026-11-25T06:00:00Z", "2026-11-25T06:00:00\u2212" + "02:00", "+2026-11-25T06:00:00Z",
	} {
		if got, err := ParseTime(text); err != errNoTime { //nolint:errorlint // this very one
			t.Errorf("%q is taken for %v, %v", text, got, err)
		}
	}
	if _, err := ParseTime("2026-12-31T23:59:60Z"); err != errLeapSecond { //nolint:errorlint // this very one
		t.Errorf("a leap second: %v", err)
	}
}

// What is taken is what time.Parse takes too, in capitals, and comes back the same.
func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026-11-25T06:00:00Z", "2026-11-25t6:00:00,5z", "2026-11-25T06:00:00.123456789+02:60", "2026-12-31T23:59:60-00:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseTime(text)
		if err != nil {
			return
		}
		again, err := ParseTime(at.Format(time.RFC3339Nano))
		if err != nil && at.Year() >= 0 && at.Year() <= 9999 || err == nil && !again.Equal(at) {
			t.Errorf("%q is %v, and that is %v, %v", text, at, again, err)
		}
	})
}
