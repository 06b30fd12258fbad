package payout

import (
	"testing"
	"time"
)

// Kafka keeps any number for a record's time; the journal has room for 13 digits.
func TestARecordsTimeIsBounded(t *testing.T) {
	for ms, want := range map[int64]int64{-1: 1, 0: 1, 1: 1, 1_700_000_000_000: 1_700_000_000_000, 1_700_000_000_000_000: 9_999_999_999_999} {
		p := Begin(Command{}, "", Source{Time: time.UnixMilli(ms)}, "", t0)
		if got := p.Source.Time.UnixMilli(); got != want {
			t.Errorf("%d became %d, want %d", ms, got, want)
		}
	}
	if p := Begin(Command{}, "", Source{}, "", t0); !p.Source.Time.IsZero() {
		t.Errorf("%v", p.Source.Time)
	}
}
