package message

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"disburser/payout"
)

// The headers of a dead letter. They stand after the original ones, letterReason first.
const (
	letterReason    = "error"
	letterCode      = "error_code"
	letterTopic     = "source_topic"
	letterPartition = "source_partition"
	letterOffset    = "source_offset"
	letterTime      = "time"
	letterIndex     = "index" // only of an element of a bulk
)

// DeadLetter is a message, or an element of one, that can't become a payout.
type DeadLetter struct {
	Key, Value []byte   // the original ones, cut where they were too large; of an element see CutBulk
	Headers    []Header // the original ones, left out where they were too large
	Code       Code
	Reason     string        // one line for a person, free of people's data
	Index      int           // of the element of a bulk; -1 for a whole message
	Topic      string        // of the commands
	Source     payout.Source // where the original message stands in it; its time isn't written
	Time       time.Time     // when it became a dead letter
}

// CutTo are lengths in bytes. The value of a dead letter that is too large is cut to the first, or to the first that its topic takes.
var CutTo = [...]int{64 << 10, 30_000, 3000, 300, 0}

// MayBeCut tells that the value may be the beginning of the original one. Nothing says it of a letter, so it goes by the length.
func (d DeadLetter) MayBeCut() bool { return slices.Contains(CutTo[:], len(d.Value)) }

// EncodeDeadLetter writes a dead letter: what it was made of, with headers that say why and where
// all of it stands.
func EncodeDeadLetter(d DeadLetter) Message {
	headers := append(slices.Clip(d.Headers),
		header(letterReason, d.Reason), header(letterCode, string(d.Code)),
		header(letterTopic, d.Topic), header(letterPartition, strconv.Itoa(d.Source.Partition)),
		header(letterOffset, strconv.FormatInt(d.Source.Offset, 10)), header(letterTime, d.Time.UTC().Format(time.RFC3339Nano)))
	if d.Index >= 0 {
		headers = append(headers, header(letterIndex, strconv.Itoa(d.Index)))
	}
	return Message{Key: d.Key, Value: d.Value, Headers: headers}
}

// errNoDeadLetter is the error of a message that lacks the headers.
var errNoDeadLetter = errors.New("decode a dead letter: it has no header " + letterReason + " with a header " + letterCode + " after it")

// DecodeDeadLetter reads a message of the dead-letter topic. The original headers may have the same
// names: from the last "error" on they are the disburser's own. Unknown ones among these, of a newer
// version, are left out.
//
// The same dead letter may come more than once, with the same Topic, Source and Index.
func DecodeDeadLetter(m Message) (DeadLetter, error) {
	from := len(m.Headers) - 1
	for from >= 0 && m.Headers[from].Key != letterReason {
		from--
	}
	if from < 0 {
		return DeadLetter{}, errNoDeadLetter
	}
	own := Message{Headers: m.Headers[from:]}
	d := DeadLetter{
		Key: m.Key, Value: m.Value, Code: Code(own.Header(letterCode)), Reason: own.Header(letterReason), Index: -1, Topic: own.Header(letterTopic),
	}
	if from > 0 {
		d.Headers = m.Headers[:from:from]
	}
	if d.Code == "" {
		return DeadLetter{}, errNoDeadLetter
	}
	var wrong [4]error
	d.Source.Partition, wrong[0] = strconv.Atoi(own.Header(letterPartition))
	d.Source.Offset, wrong[1] = strconv.ParseInt(own.Header(letterOffset), 10, 64)
	d.Time, wrong[2] = time.Parse(time.RFC3339Nano, own.Header(letterTime))
	if index, found := lastOf(own.Headers, letterIndex); found {
		d.Index, wrong[3] = strconv.Atoi(index)
	}
	if err := errors.Join(wrong[:]...); err != nil {
		return DeadLetter{}, fmt.Errorf("decode a dead letter: where it comes from can't be read: %w", err)
	}
	d.Time = d.Time.UTC()
	return d, nil
}
