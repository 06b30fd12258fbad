package message

import (
	"slices"
	"testing"
	"time"

	"disburser/payout"
)

func TestAReplaySaysWhatItReplays(t *testing.T) {
	first := time.Date(2026, 11, 25, 6, 0, 0, 1, time.UTC)
	for _, index := range []int{-1, 0, 7} {
		r := Replay{Topic: "payout.commands", Source: payout.Source{Partition: 3, Offset: 120}, Index: index, By: "olga", First: first}
		original := []Header{header("traceparent", "x"), header(SentByHeader, "alice"), header(ReplaysHeader, "payout.commands/0/1"), header(ReplaysTimeHeader, "")}
		headers := r.Replayed(original)
		if len(headers) != 4 || string(headers[0].Value) != "x" {
			t.Errorf("%+v", headers)
		}
		if got, is := DecodeReplay(headers); !is || got != r {
			t.Errorf("%+v, want %+v", got, r)
		}
		if i := slices.IndexFunc(headers, func(h Header) bool { return string(h.Value) == "alice" }); i >= 0 {
			t.Error("the sender of the original is named as who replays it")
		}
	}
}

func TestWhatIsNoReplay(t *testing.T) {
	const now = "2026-11-25T06:00:00Z"
	for _, place := range []string{"", "x", "t/0", "t/0/-1", "t/-1/0", "t/0/1/-2", "t/0/1/2/3", "/0/1", "t/a/1", "t/0/99999999999999999999"} {
		if r, is := DecodeReplay([]Header{header(ReplaysHeader, place), header(ReplaysTimeHeader, now)}); is {
			t.Errorf("%q is %+v", place, r)
		}
	}
	if _, is := DecodeReplay([]Header{header(ReplaysHeader, "t/0/1")}); is {
		t.Error("it has no time")
	}
	if _, is := DecodeReplay(nil); is {
		t.Error("there is no header")
	}
}

func TestALetterThatMayBeCut(t *testing.T) {
	for n, want := range map[int]bool{0: true, 1: false, 299: false, 300: true, 30_000: true, 64 << 10: true, 64<<10 - 1: false, 1 << 20: false} {
		if got := (DeadLetter{Value: make([]byte, n)}).MayBeCut(); got != want {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}
