package payout

import (
	"time"

	"disburser/payout/finding"
)

// Source is where a payout's command stands in the commands topic.
type Source struct {
	Partition int
	Offset    int64
	Time      time.Time // the record's, by Kafka
}

// bounded takes the nearest time that the journal can keep for a time that it can't keep. Kafka
// keeps any number for a record's time (microseconds, -1).
func (s Source) bounded() Source {
	const last = 9_999_999_999_999 // milliseconds
	if !s.Time.IsZero() {
		s.Time = time.UnixMilli(max(1, min(s.Time.UnixMilli(), last))).UTC()
	}
	return s
}

// Trace is the caller's trace context, passed on from the command's headers to
// the result's.
type Trace struct{ Parent, State string }

// Payout is one ordered payout and all that is known of it. Every method returns a
// new value; whoever owns the lease writes it to the journal.
type Payout struct {
	Command
	Country     string
	Fingerprint Fingerprint
	Source      Source
	Trace       Trace

	State State
	Step  Step      // what is to be done next
	Due   time.Time // not before

	ReceivedAt time.Time // read from Kafka by us

	// Sends counts the sends that may have left this system; a proven NotSent is
	// taken back. LastSentAt is when the last of them was decided, SendBy the moment
	// after which none of its bytes can leave any more.
	Sends       int
	FirstSentAt time.Time
	LastSentAt  time.Time
	SendBy      time.Time
	LastSend    finding.Kind // what the last send was answered; Unclear if nothing is known

	// Answered tells that the answer of the last send was noted, an unclear one too. AnswerLost tells that one wasn't:
	// whoever sent died, or lost the lease. The provider may have acknowledged that send.
	Answered, AnswerLost bool

	Account Account // to which it may have been sent; "" if it wasn't, or if nobody knows

	// Unacknowledged tells that the payout was given back because its decision to send was not
	// acknowledged. It was not sent, but the record may still land in the log, and a replay
	// would take it for a send. So it may be held, but is never ended by our own word.
	Unacknowledged bool

	// Disproved are the sends whose absence the operator's resend has accepted as proven.
	// Refusals are those of them that were refused: all of them, and nothing was ever paid.
	Disproved int
	Refusals  int

	Asks       int       // asks since it was received, for the result
	AskRound   int       // asks since the last send, for the growing interval
	NoRecords  int       // counted NoRecord answers since the last send
	NoRecordAt time.Time // the last counted one
	NoRecordOf Account   // the account that gave them: those of two are never added
	PartialAt  time.Time // the first sight of 0001
	Unknown    string    // the unknown status seen last, "" if none was
	PendingAt  time.Time // the last ask since the last send that found it processing
	Shown      bool      // an ask has found a status: the provider has, or had, an order
	Forgotten  bool      // the journal was lost: nobody knows what the provider has shown before

	// The provider's last words, as it wrote them.
	Status, StatusText, PlatformTradeNo, PaidAmount, SuccessTime string

	Reason        string       // why it is rejected, held or failed; free of people's data
	Contradiction string       // what of the provider's outcome contradicts the payout, "" if nothing does
	Absent        bool         // failed because it was proved that the provider has no such order
	By            string       // the person who ended it, "" if nobody did
	ConfirmedBy   string       // the second person, where two were needed
	Action        string       // the id of the action that ended it
	Found         finding.Kind // what the ask found by which the person's word was judged
	HeldAt        time.Time    // when it was held last: part of the held event's id
	SettledAt     time.Time

	// Unread is what the journal knows of it beside all this: a newer version has written
	// it, and it is written back as it was.
	Unread string
}

// Begin makes a payout of a command. invalid is why it must be rejected, "" if it
// may be sent once it is due.
func Begin(c Command, country string, source Source, invalid string, now time.Time) Payout {
	p := Payout{
		Command: c, Country: country, Fingerprint: c.Fingerprint(), Source: source.bounded(),
		ReceivedAt: now, State: StateReceived, Step: StepSend, Due: now,
	}
	if c.NotBefore.After(now) {
		p.Due = c.NotBefore
	}
	if invalid != "" {
		return p.reject(invalid, now)
	}
	return p
}

// Orphan tells that the payout's command isn't known, or not yet. The journal was lost, and it
// is only known that the payout was decided to be sent, or held.
func (p Payout) Orphan() bool { return p.Amount.IsZero() && p.Payee.IsEmpty() }

// Own tells whether the payout ended by our word and not by the provider's: rejected, failed
// by absence, or ended by a person. Such an end is a decision and must be acknowledged in the
// decisions log before it is announced (protocol O2).
func (p Payout) Own() bool {
	return p.State == StateRejected || p.State == StateFailed && p.Absent || p.EndedByPerson()
}

// EndedByPerson tells that an action of a person ended the payout.
func (p Payout) EndedByPerson() bool { return p.State.Final() && p.By != "" }

// Early is for how long it must not be sent yet, 0 if it may.
func (p Payout) Early(now time.Time) time.Duration {
	if p.NotBefore.IsZero() {
		return 0
	}
	return max(0, p.NotBefore.Sub(now))
}

// Expired tells that it must not be sent any more.
func (p Payout) Expired(now time.Time) bool {
	return !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt)
}
