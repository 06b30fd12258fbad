package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
)

// The headers of a command that the back office has published. Who reads commands need not know them.
const (
	SentByHeader      = "sent-by"      // the person who had it published
	ReplaysHeader     = "replays"      // of a dead letter's replay: the message that became the dead letter
	ReplaysTimeHeader = "replays-time" // of it too: when that became a dead letter for the first time (RFC 3339)
)

// Replay is what the headers of a command say that a person had published again from a dead letter.
type Replay struct {
	Topic  string        // of the message that became the dead letter
	Source payout.Source // where that stands in it; its time isn't written
	Index  int           // of the element of a bulk; -1 for a whole message
	By     string        // the person
	First  time.Time     // when it became a dead letter for the first time, however often it was replayed since
}

// Replayed are the headers of a command that replays a dead letter: the original ones, without those of an earlier replay, and its own.
func (r Replay) Replayed(original []Header) (headers []Header) {
	for _, h := range original {
		switch h.Key {
		case SentByHeader, ReplaysHeader, ReplaysTimeHeader:
		default:
			headers = append(headers, h)
		}
	}
	place := fmt.Sprintf("%s/%d/%d", r.Topic, r.Source.Partition, r.Source.Offset)
	if r.Index >= 0 {
		place += "/" + strconv.Itoa(r.Index)
	}
	return append(headers, header(SentByHeader, r.By), header(ReplaysHeader, place), header(ReplaysTimeHeader, r.First.UTC().Format(time.RFC3339Nano)))
}

// DecodeReplay reads the headers of a command; false if it replays nothing that can be read.
func DecodeReplay(headers []Header) (Replay, bool) {
	place, found := lastOf(headers, ReplaysHeader)
	if !found {
		return Replay{}, false
	}
	parts := strings.Split(place, "/")
	if len(parts) != 3 && len(parts) != 4 {
		return Replay{}, false
	}
	r := Replay{Topic: parts[0], Index: -1}
	var wrong [4]error
	r.Source.Partition, wrong[0] = strconv.Atoi(parts[1])
	r.Source.Offset, wrong[1] = strconv.ParseInt(parts[2], 10, 64)
	if len(parts) == 4 {
		r.Index, wrong[2] = strconv.Atoi(parts[3])
	}
	first, _ := lastOf(headers, ReplaysTimeHeader)
	r.First, wrong[3] = ParseTime(first)
	for _, err := range wrong {
		if err != nil {
			return Replay{}, false
		}
	}
	r.By, _ = lastOf(headers, SentByHeader)
	return r, r.Topic != "" && min(int64(r.Source.Partition), r.Source.Offset) >= 0 && r.Index >= -1
}
