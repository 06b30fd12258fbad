// Package replay promises the decision which dead letters may be published again, and why others may not. It connects to nothing.
//
// A replay is a command like any other: the intake judges it, and its tradeNo is paid once. What the intake can't know is left out here.
// It forgets a tradeNo after redis.dedup_window, and a replay looks new to it however old the dead letter is.
package replay

import (
	"fmt"
	"time"

	"disburser/backoffice/books"
	"disburser/message"
	"disburser/payout"
)

// Verdict is what is decided of a dead letter.
type Verdict string

// The verdicts.
const (
	Replay   Verdict = "replay"   // it is published again
	Replayed Verdict = "replayed" // it was, and isn't once more
	LeftOut  Verdict = "left_out" // it isn't
)

// Found is what stands at a dead letter's place in Kafka.
type Found struct {
	Letter message.DeadLetter
	Time   time.Time // Kafka's
	None   string    // why there is none: then the others are empty
}

// Content is what the value of a dead letter would order now.
type Content struct {
	TradeNos   []string
	Unreadable string // why it, or an element of it, would be a dead letter again
	Rejected   string // why it, or an element of it, would be rejected
}

// Resolve completes a command as the intake does it, and says why it must be rejected.
type Resolve func(payout.Command) (problems []message.Problem)

// Read reads a value as the intake does.
func Read(value []byte, resolve Resolve, now time.Time) (c Content) {
	orders, err := message.Decode(value)
	if err != nil {
		return Content{Unreadable: err.Error()}
	}
	for _, o := range orders {
		if o.Unreadable != nil {
			c.Unreadable = ofElement(o, o.Unreadable.Reason)
			continue
		}
		c.TradeNos = append(c.TradeNos, o.Command.TradeNo)
		problem := o.Invalid
		if problem == "" {
			problem = message.Reason(resolve(o.Command))
		}
		if expires := o.Command.ExpiresAt; problem == "" && !expires.IsZero() && !expires.After(now) {
			problem = "expiresAt has passed"
		}
		if problem != "" {
			c.Rejected = ofElement(o, problem)
		}
	}
	return c
}

func ofElement(o message.Order, text string) string {
	if o.Index < 0 {
		return text
	}
	return fmt.Sprintf("its element %d: %s", o.Index, text)
}

// Case is all that is known of a dead letter that somebody wants to be replayed.
type Case struct {
	Letter  books.Letter
	Replays []books.Replay   // what was published of it before
	Topic   string           // of the commands
	Found   Found            // what stands at its place
	Content Content          // what that would order
	Ordered map[string]State // what the books know of its tradeNos, but for this message itself
	Taken   string           // another dead letter of this run that has a tradeNo of it
	Now     time.Time
	Window  time.Duration // redis.dedup_window
	Again   bool          // also what was replayed before
	AsItIs  bool          // also what would be a dead letter again, or rejected
}

// State is how far a payout is, as the books know it.
type State = string

// Ordered is what the books know of a payout beside what a dead letter's own message has ordered; "" for nothing. A newer version may read
// a message that an older one couldn't: then the books know its payout by nothing else.
func Ordered(p *books.Payout, l books.Letter, replays []books.Replay) State {
	if p == nil {
		return ""
	}
	own := func(o books.Order) bool {
		if o.Copies > 1 || o.Copies == 0 { // it came again, or the service had it published again
			return false
		}
		if o.Partition == l.Source.Partition && o.Offset == l.Source.Offset && (l.Source.Element == 0 || o.Element == l.Source.Element) {
			return true
		}
		for _, r := range replays {
			if o.Partition == r.Partition && o.Offset == r.Offset {
				return true
			}
		}
		return false
	}
	known := len(p.Events)+len(p.Lost) > 0 || p.Sent != nil
	for _, o := range p.Orders {
		known = known || !own(o)
	}
	switch state := p.View().State; {
	case !known:
		return ""
	case state == 0:
		return "known by a conflict"
	default:
		return state.String()
	}
}

// Judge decides, and says why.
func Judge(c Case) (Verdict, string) {
	if n := len(c.Replays); n > 0 && !c.Again {
		last := c.Replays[n-1]
		return Replayed, fmt.Sprintf("replayed by %s at %s", last.By, books.Stamp(last.Time))
	}
	for _, why := range []func(Case) string{byCode, byPlace, byAge, byPayouts} {
		if text := why(c); text != "" {
			return LeftOut, text
		}
	}
	wrong := ""
	switch {
	case c.Content.Unreadable != "":
		wrong = "it would be a dead letter again: " + c.Content.Unreadable
	case c.Content.Rejected != "":
		wrong = "it would be rejected, and its tradeNo used up: " + c.Content.Rejected
	}
	if wrong != "" && !c.AsItIs {
		return LeftOut, wrong
	}
	return Replay, wrong
}

// byCode leaves out what a replay can't mend.
func byCode(c Case) string {
	at := fmt.Sprintf("%s/%d, offset %d", c.Letter.Topic, c.Letter.Source.Partition, c.Letter.Source.Offset)
	switch c.Letter.Code {
	case message.Malformed:
		return ""
	case message.Conflict:
		return "its tradeNo has another content: find out which one was meant, and order the second one under a new tradeNo"
	case message.TooLarge:
		return "its value is cut: the whole stands in " + at + "; let the sender split it"
	default:
		return "this version doesn't know what its error_code means"
	}
}

// byPlace leaves out what isn't certainly the whole original.
func byPlace(c Case) string {
	l := c.Found.Letter
	switch {
	case c.Found.None != "":
		return c.Found.None
	case l.Topic != c.Letter.Topic || l.Source.Partition != c.Letter.Source.Partition || l.Source.Offset != c.Letter.Source.Offset || l.Index+1 != c.Letter.Source.Element:
		return "another message stands at its place: the topic was made anew"
	case l.Topic != c.Topic:
		return "it comes from another topic than the commands'"
	case l.MayBeCut():
		return fmt.Sprintf("its value has %d bytes, so it may be the beginning of a longer one", len(l.Value))
	case message.DecodeCarried(l.Headers).State != 0:
		return "the service itself had published it again: its payout is known"
	}
	return ""
}

// byAge leaves out what may have been paid and forgotten meanwhile. Half of the window is left for an intake that is behind.
func byAge(c Case) string {
	first := c.Found.Letter.Time
	if c.Found.Time.Before(first) {
		first = c.Found.Time
	}
	if r, is := message.DecodeReplay(c.Found.Letter.Headers); is && r.First.Before(first) {
		first = r.First
	}
	if c.Now.Sub(first) < c.Window/2 {
		return ""
	}
	return "it is older than half of redis.dedup_window: what was paid meanwhile may be forgotten. Order it under a new tradeNo"
}

// byPayouts leaves out what was ordered otherwise.
func byPayouts(c Case) string {
	for _, tradeNo := range c.Content.TradeNos {
		if state := c.Ordered[tradeNo]; state != "" {
			return fmt.Sprintf("%s was ordered otherwise: it is %s", tradeNo, state)
		}
	}
	if c.Taken != "" {
		return "the dead letter " + c.Taken + " of this run has the same tradeNo"
	}
	return ""
}
