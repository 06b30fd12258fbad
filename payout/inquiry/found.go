package inquiry

import (
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

// Place is where the journal has a payout.
type Place byte

// The places.
const (
	Nowhere        Place = iota // it knows nothing of it
	Open                        // its record stands there
	Ended                       // its result is announced, and only its state is remembered
	AwaitsSent                  // a rebuild has learned that it was decided to be sent; its command is read again
	AwaitsHeld                  // the same, of a hold
	UnreadableHere              // another version has written its record
)

// Found is what the journal holds of a payout.
type Found struct {
	Place      Place
	At         time.Time     // when, by Redis' clock
	Payout     payout.Payout // of an open one; of others what is remembered
	Remembered payout.State  // of those that are not open
	Due        time.Time     // when its next step comes due; zero: Redis doesn't tell
	Before     int           // how many are due before it in its lane
	InWork     bool          // an instance has leased it, until Until
	Until      time.Time     // when that lease ends
	Opens      int           // how many payouts are open in its shard
	Doubt      string        // why what is held there can't be believed now, "" if it can
	Sent       time.Time     // of AwaitsSent: when that was decided
	Err        error         // of UnreadableHere
}

// Around is what holds a payout up that stands in no journal.
type Around struct {
	Stop   acts.Stop // what people forbid (protocol A0)
	Known  bool      // its merchant is configured here
	Policy payout.Policy
	Sends  Calls
	Asks   Calls
	Full   bool          // max_open is reached: no command is taken in
	Intake string        // why commands aren't read, "" if they are
	Grace  time.Duration // unknown_merchant_grace

}

// Calls say how fast the fleet may call the provider, and whether it may at all.
type Calls struct {
	PerSecond float64       // 0: not known
	Agreed    float64       // as configured
	RestUntil time.Time     // the provider has asked for a pause until then
	NextProbe time.Time     // the provider refuses sends: when the next one tries; zero if it doesn't
	Breaker   Breaker       // of the instance that is asked
	OpenFor   time.Duration // how long it stays open at most
}

// Breaker is the state of a circuit breaker.
type Breaker byte

// The states.
const (
	Closed   Breaker = iota
	HalfOpen         // a few calls try whether it is over
	Tripped          // nothing is called
)
