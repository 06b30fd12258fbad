package payout

import "time"

// Epoch is a life of the journal: from the moment it was opened on a Redis until that
// Redis can't be believed any more. The number is for people; the id, random for each
// attempt to begin one, is what is compared (protocol E1).
type Epoch struct {
	Number int    `json:"number"`
	ID     string `json:"id"`
}

// Standing is what a Redis holds of epochs.
type Standing struct {
	RunID      string // of the server that answers
	Epoch      Epoch  // the open one; its ID is "" if none is open, its number then the last one's
	OpenedOn   string // the run id of the server on which it was opened
	Shards     int    // stored with the epoch
	Fences     map[int]int64
	Building   string // the id of an epoch that is being built, "" if none
	BuildingOn string
	ClaimLeft  time.Duration // how long the builder's claim lasts
}

// Open tells that the standing's epoch is open on the server that answers.
func (s Standing) Open() bool { return s.Epoch.ID != "" && s.OpenedOn == s.RunID }
