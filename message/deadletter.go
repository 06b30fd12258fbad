package message

import (
	"disburser/payout"
)

// DeadLetter is a message, or an element of one, that can't become a payout.
type DeadLetter struct {
	Key, Value []byte
	Headers    []Header // the original ones
	Code       Code
	Reason     string // one line for a person, free of people's data
	Index      int    // of the element of a bulk; -1 for a whole message
	Topic      string
	Source     payout.Source
}
