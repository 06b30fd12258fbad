package app

import (
	"testing"

	"disburser/payout/acts"
)

// A person is told what counts: the first outcome of a place, and no refusal of a cancel that stands (protocol A10).
func TestWhichOutcomesCount(t *testing.T) {
	said := func(result acts.Result, shard int) acts.Action {
		return acts.Action{Kind: acts.Outcome, Of: "a1", Ended: &acts.Ended{Of: "a1", Result: result, Shard: shard}}
	}
	stands := acts.Action{Kind: acts.Stands, Of: "a1"}
	other := acts.Action{Kind: acts.Stands, Of: "a2"}
	for name, c := range map[string]struct {
		records []acts.Action
		counts  string // + counts, - not
	}{
		"done in two shards":                {[]acts.Action{said(acts.Done, 0), said(acts.Done, 1)}, "++"},
		"a copy":                            {[]acts.Action{said(acts.Done, 0), said(acts.Done, 0)}, "+-"},
		"refused, and another one after it": {[]acts.Action{said(acts.Refused, 0), said(acts.Done, 0)}, "+-"},
		"refused though it stands":          {[]acts.Action{stands, said(acts.Refused, 0), said(acts.Done, 0)}, "--+"},
		"refused, and another one stands":   {[]acts.Action{other, said(acts.Refused, 0)}, "-+"},
		"what a person says":                {[]acts.Action{{Kind: acts.Pause}}, "-"},
	} {
		h, got := newHeard(), ""
		for _, a := range c.records {
			if h.counts(a) {
				got += "+"
			} else {
				got += "-"
			}
		}
		if got != c.counts {
			t.Errorf("%s: %s, want %s", name, got, c.counts)
		}
	}
}
