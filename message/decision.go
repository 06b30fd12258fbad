package message

import (
	"encoding/json"
	"fmt"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/epochs"
	"disburser/payout/finding"
)

// DecisionKind says what a record of the decisions topic is. Readers skip kinds that they
// don't know.
type DecisionKind string

// The kinds.
const (
	KindSend     DecisionKind = "send"     // these payouts are about to be sent
	KindFinal    DecisionKind = "final"    // these payouts ended by our word: rejected, or failed by absence
	KindResolved DecisionKind = "resolved" // these held payouts ended by a person's word: paid, or failed
	KindFence    DecisionKind = "fence"    // a new epoch begins: what an older one decides after this is void
	KindOpen     DecisionKind = "open"     // the new epoch works from here on
	KindAlive    DecisionKind = "alive"    // the epoch lives, though nothing was decided for a while
	KindLost     DecisionKind = "lost"     // what the topics held before this is gone, or some of it
)

// Decision is the value of a record of the decisions topic
// (docs/protocol.md, Records of the decisions). Its names are fixed: older and newer instances
// read it too.
type Decision struct {
	Kind         DecisionKind         `json:"kind"`
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

	// Of ends by a person; left out where no payout of the decision was ended so.
	By          []string `json:"by,omitempty"`
	ConfirmedBy []string `json:"confirmedBy,omitempty"`
	Actions     []string `json:"actions,omitempty"` // the actions' ids

	Evidence []acts.Evidence `json:"evidence,omitempty"` // of resolved: by what each was judged

	Why string `json:"why,omitempty"` // of lost: what is gone

	// Of open and alive: the latest action that the writer knows. Now and then what is in force stands beside it,
	// as far as there is room, and how much is left out.
	Latest  *acts.Place `json:"latest,omitempty"`
	Kept    bool        `json:"kept,omitempty"` // what is in force stands in this record
	InForce []acts.Kept `json:"inForce,omitempty"`
	Left    int         `json:"left,omitempty"`
}

// Newer tells that a newer version wrote the decision: it may say what this one doesn't know.
func (d Decision) Newer() bool { return d.Layout > epochs.Layout }

// DecisionOf lists payouts in a decision. It names their merchant and their account only where
// all of them share it. Who writes it adds the writer, the epoch and the time.
func DecisionOf(kind DecisionKind, payouts []payout.Payout) Decision {
	d := Decision{Kind: kind}
	for i, p := range payouts {
		if i == 0 {
			d.Merchant = p.Merchant
			d.Account = p.Account
		}
		if d.Merchant != p.Merchant {
			d.Merchant = ""
		}
		if d.Account != p.Account || kind != KindSend {
			d.Account = ""
		}
		d.TradeNos = append(d.TradeNos, p.TradeNo)
		d.Fingerprints = append(d.Fingerprints, p.Fingerprint)
		if kind == KindSend {
			d.Lease = max(d.Lease, p.SendBy.Sub(p.LastSentAt).Milliseconds())
		}
		if kind == KindFinal || kind == KindResolved {
			d.States = append(d.States, p.State.String())
			d.Reasons = append(d.Reasons, p.Reason)
		}
	}
	if kind == KindResolved {
		for _, p := range payouts {
			d.Evidence = append(d.Evidence, evidenceOf(p))
		}
	}
	if kind != KindSend {
		d.By = said(payouts, func(p payout.Payout) string { return p.By })
		d.ConfirmedBy = said(payouts, func(p payout.Payout) string { return p.ConfirmedBy })
		d.Actions = said(payouts, func(p payout.Payout) string { return p.Action })
	}
	return d
}

// evidenceOf is by what a person's end of a payout was judged.
func evidenceOf(p payout.Payout) acts.Evidence {
	e := acts.Evidence{Finding: p.Found.String(), Asks: p.Asks, At: p.SettledAt.UTC()}
	if p.Found != finding.Unclear {
		e.Code = p.Status
	}
	return e
}

// said lists a text of each payout, nil where none of them has one.
func said(payouts []payout.Payout, of func(payout.Payout) string) []string {
	list, some := make([]string, len(payouts)), false
	for i, p := range payouts {
		list[i] = of(p)
		some = some || list[i] != ""
	}
	if !some {
		return nil
	}
	return list
}

// Person is who ended the payout at a place of the lists, and by which action; "" if nobody did.
func (d Decision) Person(at int) (by, confirmedBy, action string) {
	return element(d.By, at), element(d.ConfirmedBy, at), element(d.Actions, at)
}

func element(list []string, at int) string {
	if at < len(list) {
		return list[at]
	}
	return ""
}

// EncodeDecision writes a decision as it stands in its topic. Its key is the instance.
func EncodeDecision(d Decision) ([]byte, error) {
	value, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode a decision of kind %q: %w", d.Kind, err)
	}
	return value, nil
}

// DecodeDecision reads the value of a decision. Unknown fields and kinds are no error, nor is
// a newer layout: the reader asks Newer, and decides. The lists may differ in length: only who
// uses them knows what that means.
func DecodeDecision(value []byte) (Decision, error) {
	var d Decision
	if err := json.Unmarshal(value, &d); err != nil {
		return Decision{}, fmt.Errorf("decode a decision: %w", err)
	}
	return d, nil
}
