package message

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"disburser/payout"
)

func letter() DeadLetter {
	return DeadLetter{
		Key: []byte("k"), Value: []byte("v"), Headers: []Header{header("x", "\x00\xff"), header("error", "somebody's own"), header("index", "5")},
		Code: Malformed, Reason: "the value is not JSON", Index: -1, Topic: "payout.commands",
		Source: payout.Source{Partition: 3, Offset: 812}, Time: t0.Add(5 * time.Millisecond),
	}
}

// What stands in the topic is read by people and their programs: to the byte.
func TestADeadLetterStandsInItsTopicAsEver(t *testing.T) {
	whole, element := letter(), letter()
	element.Index, element.Code, element.Headers = 7, Conflict, nil
	own := func(code string) []string {
		return []string{
			"error: the value is not JSON", "error_code: " + code, "source_topic: payout.commands", "source_partition: 3",
			"source_offset: 812", "time: 2026-11-21T10:30:00.005Z",
		}
	}
	for _, c := range []struct {
		letter DeadLetter
		want   []string
	}{
		{whole, append([]string{"x: \x00\xff", "error: somebody's own", "index: 5"}, own("malformed")...)},
		{element, append(own("conflict"), "index: 7")},
	} {
		m := EncodeDeadLetter(c.letter)
		if got := written(m.Headers); !slices.Equal(got, c.want) || string(m.Key) != "k" || string(m.Value) != "v" {
			t.Errorf("%s %s %q\nwant %q", m.Key, m.Value, got, c.want)
		}
	}
}

// The original message may be anything, a dead letter too: then its headers have the same names.
func TestADeadLetterIsReadAsItWasWritten(t *testing.T) {
	again, bare, element := letter(), letter(), letter()
	again.Headers = EncodeDeadLetter(letter()).Headers
	bare.Headers, bare.Key, bare.Value, bare.Code = nil, nil, nil, TooLarge
	element.Index, element.Code = 0, Conflict
	for _, want := range []DeadLetter{letter(), again, bare, element} {
		if got, err := DecodeDeadLetter(EncodeDeadLetter(want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v\nwant %+v", got, err, want)
		}
	}
	newer := EncodeDeadLetter(letter())
	newer.Headers = append(newer.Headers, header("error_field", "amount"))
	if got, err := DecodeDeadLetter(newer); err != nil || !reflect.DeepEqual(got, letter()) {
		t.Errorf("a newer one: %+v, %v", got, err)
	}
}

func TestWhatIsNoDeadLetter(t *testing.T) {
	for _, headers := range [][]Header{
		nil,
		{header("error_code", "malformed")},
		{header("error_code", "malformed"), header("error", "reason")},
		{header("error", "reason"), header("error_code", "malformed")},
	} {
		if got, err := DecodeDeadLetter(Message{Headers: headers}); err == nil {
			t.Errorf("%q: %+v", written(headers), got)
		}
	}
	for _, name := range []string{"source_partition", "source_offset", "time", "index"} {
		m := EncodeDeadLetter(letter())
		m.Headers = append(m.Headers, header(name, "x"))
		if got, err := DecodeDeadLetter(m); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Nobody's headers are written over, and whatever they are, the letter is read as it was written.
func FuzzDeadLetters(f *testing.F) {
	f.Add([]byte("value"), "error", "reason", "index", "3", "malformed", "the value is not JSON", -1)
	f.Add([]byte(nil), "error_code", "", "time", "noon", "conflict", "", 9999)
	f.Fuzz(func(t *testing.T, value []byte, name, text, name2, text2, code, reason string, index int) {
		headers := []Header{header(name, text), header(name2, text2)}
		want := letter()
		want.Value, want.Headers, want.Code, want.Reason, want.Index = value, slices.Grow(headers, 9), Code(code), reason, max(-1, index)
		got, err := DecodeDeadLetter(EncodeDeadLetter(want))
		if code == "" {
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(headers[1].Value, []byte(text2)) {
			t.Errorf("%+v, %v\nwant %+v", got, err, want)
		}
	})
}
