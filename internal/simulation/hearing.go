package simulation

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/trial"
)

// hearing is what the instances have heard of their decisions. A decision whose record stands in
// the log isn't acknowledged as long as its answer hasn't come.
type hearing struct {
	mu    sync.Mutex
	heard []acknowledged
}

// acknowledged is an answer without an error that reached an instance.
type acknowledged struct {
	instance    string
	partition   int
	first, last int64 // offsets
	at          time.Time
}

// when answers when an instance heard that a record is written; false if it never did.
func (h *hearing) when(instance string, partition int, offset int64) (time.Time, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.heard {
		if a.instance == instance && a.partition == partition && a.first <= offset && offset <= a.last {
			return a.at, true
		}
	}
	return time.Time{}, false
}

// ear listens to one connection of an instance to Kafka. Of its two directions each is
// used by one goroutine at a time.
type ear struct {
	hearing  *hearing
	instance string

	sent, received []byte // what isn't a whole message yet

	mu    sync.Mutex
	asked map[uint32]*kmsg.ProduceRequest // by correlation id
}

// sending takes in what the instance writes.
func (e *ear) sending(b []byte) {
	for _, message := range whole(&e.sent, b) {
		if len(message) < 10 || binary.BigEndian.Uint16(message) != uint16(kmsg.Produce) {
			continue
		}
		r := kmsg.NewPtrProduceRequest()
		r.SetVersion(int16(binary.BigEndian.Uint16(message[2:])))
		rest := message[10:] // what comes before ends with the client's name
		if n := int16(binary.BigEndian.Uint16(message[8:])); n > 0 && int(n) <= len(rest) {
			rest = rest[n:]
		}
		if r.IsFlexible() || r.ReadFrom(rest) != nil { // no version that kafka-go speaks
			continue
		}
		e.mu.Lock()
		e.asked[binary.BigEndian.Uint32(message[4:])] = r
		e.mu.Unlock()
	}
}

// receiving takes in what has reached the instance.
func (e *ear) receiving(b []byte) {
	for _, message := range whole(&e.received, b) {
		if len(message) < 4 {
			continue
		}
		id := binary.BigEndian.Uint32(message)
		e.mu.Lock()
		request := e.asked[id]
		delete(e.asked, id)
		e.mu.Unlock()
		if request == nil {
			continue
		}
		answer, ok := request.ResponseKind().(*kmsg.ProduceResponse)
		if !ok || answer.ReadFrom(message[4:]) != nil {
			continue
		}
		e.hear(request, answer)
	}
}

func (e *ear) hear(request *kmsg.ProduceRequest, answer *kmsg.ProduceResponse) {
	records := map[int32]int64{} // of the decisions, by partition
	for _, t := range request.Topics {
		for _, p := range t.Partitions {
			if t.Topic == trial.DefaultTopics.Decisions && len(p.Records) > 27 {
				records[p.Partition] = int64(binary.BigEndian.Uint32(p.Records[23:])) + 1 // the last one's distance from the first
			}
		}
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if n := records[p.Partition]; t.Topic == trial.DefaultTopics.Decisions && p.ErrorCode == 0 && n > 0 {
				e.hearing.mu.Lock()
				e.hearing.heard = append(e.hearing.heard, acknowledged{e.instance, int(p.Partition), p.BaseOffset, p.BaseOffset + n - 1, time.Now()})
				e.hearing.mu.Unlock()
			}
		}
	}
}

// whole answers the messages that are complete with b; each begins with its length.
func whole(have *[]byte, b []byte) (messages [][]byte) {
	*have = append(*have, b...)
	for len(*have) >= 4 {
		n := int(binary.BigEndian.Uint32(*have))
		if len(*have) < 4+n {
			break
		}
		messages = append(messages, append([]byte(nil), (*have)[4:4+n]...))
		*have = (*have)[4+n:]
	}
	return messages
}
