package acts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"disburser/payout/secrets"
)

// As is how a person says that a held payout ended.
type As string

// The ends that a person can say.
const (
	Paid   As = "paid"
	Failed As = "failed"
)

// instances write outcomes under this name.
const byDisburser = "disburser"

// Ended is an outcome: what became of an action, for one payout or in one shard.
type Ended struct {
	Of        string         // the action's id
	Result    Result         // Done, Refused or Expired
	TradeNo   string         // of an action about a payout; then Shard and Counts say nothing
	Shard     int            // of an action about a batch: each shard has an outcome of its own
	Counts    map[string]int // of a batch: payouts, by what became of them
	Detail    string         // one line for a person
	Evidence  *Evidence      // what the provider said, nil if it wasn't asked
	Uncertain bool           // of Expired: the journal was lost meanwhile, and it may have happened
	Time      time.Time
}

// StandsFor makes the record that says of a batch's cancel that it can't be refused any more (protocol A10). An open
// payout of the batch is known, and is about to end by it. The record's id follows from the cancel's.
func StandsFor(cancel string, now time.Time, key secrets.Secret) (Record, error) {
	sum := sha256.Sum256([]byte(cancel))
	return Write(Action{ID: "stands-" + hex.EncodeToString(sum[:16]), Kind: Stands, Of: cancel, By: byDisburser, Time: now}, key)
}

// Evidence is what an outcome rests on. It never holds people's data.
type Evidence struct {
	Finding string    `json:"finding"`
	Code    string    `json:"code,omitempty"` // the provider's
	Asks    int       `json:"asks"`           // how often the payout was asked about so far
	At      time.Time `json:"at"`
}

// ending are the fields of an outcome's record beside an action's.
type ending struct {
	Result   Result         `json:"result,omitempty"`
	TradeNo  string         `json:"tradeNo,omitempty"`
	Shard    *int           `json:"shard,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Evidence *Evidence      `json:"evidence,omitempty"`
	Certain  *bool          `json:"certain,omitempty"`
}

// ended is what the record of an outcome says, nil if it is none or can't be read.
func (e ending) ended(a Action) *Ended {
	known := e.Result == Done || e.Result == Refused || e.Result == Expired
	if a.Kind != Outcome || !known || (e.TradeNo == "") == (e.Shard == nil) {
		return nil
	}
	ended := Ended{
		Of: a.Of, Result: e.Result, TradeNo: e.TradeNo, Counts: e.Counts, Detail: e.Detail, Evidence: e.Evidence,
		Uncertain: e.Certain != nil && !*e.Certain, Time: a.Time,
	}
	if e.Shard != nil {
		ended.Shard = *e.Shard
	}
	return &ended
}

// ID is the outcome's own id. It follows from the action's and from what it is about, so that a second copy of an
// outcome counts for nothing.
func (e Ended) ID() string {
	place := "payout:" + e.TradeNo
	if e.TradeNo == "" {
		place = "shard:" + strconv.Itoa(e.Shard)
	}
	sum := sha256.Sum256([]byte(e.Of + "\x00" + place))
	return "outcome-" + hex.EncodeToString(sum[:16])
}

// Record makes the record of an outcome, signed where there is a key.
func (e Ended) Record(key secrets.Secret) (Record, error) {
	w := struct {
		ID     string `json:"id"`
		Kind   Kind   `json:"kind"`
		Action string `json:"action"`
		ending
		By   string `json:"by"`
		Time string `json:"time"`
	}{e.ID(), Outcome, e.Of, ending{e.Result, e.TradeNo, nil, e.Counts, e.Detail, e.Evidence, nil}, byDisburser, stamp(e.Time)}
	if e.TradeNo == "" {
		w.Shard = &e.Shard
	}
	if e.Uncertain {
		w.Certain = new(bool)
	}
	value, err := json.Marshal(w)
	if err != nil {
		return Record{}, fmt.Errorf("write the outcome of the action %s: %w", e.Of, err)
	}
	return signed(Record{Key: []byte(w.ID), Value: value}, key), nil
}
