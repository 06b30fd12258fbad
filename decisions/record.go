package decisions

import (
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
)

// Kind says what a record of the decisions topic is. Readers skip kinds that they
// don't know.
type Kind string

// The kinds.
const (
	KindSend  Kind = "send"  // these payouts are about to be sent
	KindFinal Kind = "final" // these payouts ended by our word: rejected, or failed by absence
	KindFence Kind = "fence" // a new epoch: what an older one decides after this is void
	KindOpen  Kind = "open"  // the new epoch works from here on
	KindAlive Kind = "alive" // the epoch lives, though nothing was decided for a while
	KindLost  Kind = "lost"  // what the topics held before this is gone, or some of it
)

// Record is the value of a decision (docs/protocol.md, Records of the decisions). Its names
// are fixed: older and newer instances read it too.
type Record struct {
	Kind         Kind                 `json:"kind"`
	Layout       int                  `json:"layout,omitempty"` // epochs.Layout of the writer; 0 stands for 1
	Instance     string               `json:"instance"`
	Seq          int64                `json:"seq"`
	Shard        int                  `json:"shard"`
	Epoch        epochs.Epoch         `json:"epoch"`
	Time         time.Time            `json:"time"`
	Merchant     string               `json:"merchant,omitempty"`
	Account      payout.Account       `json:"account,omitempty"` // of sends: to which account they go
	Lease        int64                `json:"lease,omitempty"`   // of sends, in ms: after it no byte of them leaves
	TradeNos     []string             `json:"tradeNos,omitempty"`
	Fingerprints []payout.Fingerprint `json:"fingerprints,omitempty"`
	States       []string             `json:"states,omitempty"`  // of finals: how each ended
	Reasons      []string             `json:"reasons,omitempty"` // of finals: why
	Why          string               `json:"why,omitempty"`     // of lost: what is gone
}

// newer tells that the record may say what this version doesn't know.
func (r Record) newer() bool { return r.Layout > epochs.Layout }

// recordOf lists payouts in a record; they share one merchant and one account, or it is
// left out.
func recordOf(kind Kind, payouts []payout.Payout) Record {
	r := Record{Kind: kind}
	for i, p := range payouts {
		if i == 0 {
			r.Merchant = p.Merchant
			r.Account = p.Account
		}
		if r.Merchant != p.Merchant {
			r.Merchant = ""
		}
		if r.Account != p.Account || kind != KindSend {
			r.Account = ""
		}
		r.TradeNos = append(r.TradeNos, p.TradeNo)
		r.Fingerprints = append(r.Fingerprints, p.Fingerprint)
		if kind == KindSend {
			r.Lease = max(r.Lease, p.SendBy.Sub(p.LastSentAt).Milliseconds())
		}
		if kind == KindFinal {
			r.States = append(r.States, p.State.String())
			r.Reasons = append(r.Reasons, p.Reason)
		}
	}
	return r
}

// size estimates the record's length as JSON, in bytes.
func (r Record) size() int {
	n := 300
	for i := range r.TradeNos {
		n += len(r.TradeNos[i]) + len(r.Fingerprints[i]) + 8
	}
	for _, reason := range r.Reasons {
		n += len(reason) + 16
	}
	return n
}
