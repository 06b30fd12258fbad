package journal

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

const here, there payout.Account = "here0000", "there000"

func leaseTo(t *testing.T, j *Journal, step payout.Step, account payout.Account) leases.Leased {
	t.Helper()
	r := leases.Request{Step: step, Merchant: "eg", Account: account, N: 9, For: time.Minute}
	if step == payout.StepReview {
		r.Merchant = ""
	}
	b, err := j.Lease(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A lease to send stamps the account. What was sent to another account before isn't leased to be
// sent. It waits for somebody to say what becomes of it.
func TestALeaseToSendStampsTheAccount(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 9, at("again", 3))
		b := leaseTo(t, j, payout.StepSend, there)
		if len(b.Payouts) != 1 || b.Payouts[0].Account != there || show(t, client, j, "again").Account != there {
			t.Fatalf("%+v", b.Payouts)
		}
		write(t, j, b, func(p *payout.Payout) { // absent there, and the operator's choice is to send it again
			p.State, p.Step, p.Disproved, p.Due = payout.StateReceived, payout.StepSend, 1, time.Now().Add(-time.Second)
		})
		insert(t, j, 10, at("never", 9))
		if b := leaseTo(t, j, payout.StepSend, here); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "never" || b.Payouts[0].Account != here {
			t.Fatalf("leased to be sent: %+v", b.Payouts)
		}
		checks(t, client, j)
		b = leaseTo(t, j, payout.StepReview, "")
		if len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "again" || b.Payouts[0].State != payout.StateReceived {
			t.Fatalf("what can't be sent: %+v", b.Payouts)
		}
		// Somebody of its own account puts it back.
		back, err := b.Payouts[0].NotSendable(time.Now().Add(-time.Minute), there)
		if err != nil {
			t.Fatal(err)
		}
		if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: back}); !got[0] {
			t.Fatal("not written")
		}
		checks(t, client, j)
		if b := leaseTo(t, j, payout.StepSend, there); len(b.Payouts) != 1 || b.Payouts[0].Sends != 2 {
			t.Errorf("its own account: %+v", b.Payouts)
		}
	})
}

// That another account was served says nothing of this one.
func TestEvidenceIsOfOneAccount(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		served := []leases.Served{{Merchant: "eg", Account: there, At: time.Now(), About: "somebody", Settled: true}}
		if _, err := j.Apply(context.Background(), nil, served); err != nil {
			t.Fatal(err)
		}
		if e := leaseTo(t, j, payout.StepAsk, there).Evidence; e.About != "somebody" || e.ServedAt.IsZero() {
			t.Errorf("%+v", e)
		}
		if e := leaseTo(t, j, payout.StepAsk, here).Evidence; e.About != "" || !e.ServedAt.IsZero() || e.Settled != "somebody" {
			t.Errorf("%+v", e)
		}
	})
}

// What a rebuild learns of a send has its account, in the record and in what is remembered. If a
// payout was sent to two accounts, neither is the right one to ask.
func TestARebuildRemembersTheAccount(t *testing.T) {
	sent := func(tradeNo string, account payout.Account) epochs.Restored {
		r := was(epochs.WasDecided, tradeNo, 0)
		r.Account = account
		return r
	}
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		for n, tradeNo := range []string{"unsent", "old"} {
			insert(t, j, int64(n+1), at(tradeNo, int64(n)))
		}
		b := leaseTo(t, j, payout.StepSend, there)
		for _, p := range b.Payouts {
			if p.TradeNo == "unsent" {
				back, err := p.GiveBack(time.Now(), false)
				if err != nil {
					t.Fatal(err)
				}
				apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: back})
			}
		}
		open(t, j, build(t, j,
			sent("unsent", here), sent("old", there),
			sent("remembered", here), sent("remembered", here), sent("both", here), sent("both", there), sent("unknown", ""), sent("mixed", here), sent("mixed", "")))
		want := map[string]payout.Account{"unsent": here, "old": there, "remembered": here, "both": payout.SeveralAccounts, "unknown": "", "mixed": ""}
		for n, tradeNo := range []string{"remembered", "both", "unknown", "mixed"} {
			if !strings.HasPrefix(heldBy(t, client, j).memos[tradeNo], "S") {
				t.Errorf("%s isn't remembered", tradeNo)
			}
			insert(t, j, int64(n+3), at(tradeNo, int64(n+2)))
		}
		for tradeNo, account := range want {
			if p := show(t, client, j, tradeNo); p.State != payout.StateSending || p.Account != account || p.Merchant != "eg" {
				t.Errorf("%s: %+v, want account %q", tradeNo, p, account)
			}
		}
		open(t, j, build(t, j, sent("old", here))) // a stale half of another configuration
		if p := show(t, client, j, "old"); p.Account != payout.SeveralAccounts {
			t.Errorf("sent to two accounts: %+v", p)
		}
	})
}

// The start says how many open payouts were sent to another account, however many pages
// they are.
func TestAccountsAreCounted(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		const n = 1203
		var all []payout.Payout
		for i := range n {
			all = append(all, at("t"+strconv.Itoa(i), int64(i)))
		}
		insert(t, j, n, all...)
		for range 67 {
			leaseTo(t, j, payout.StepSend, there)
		}
		leaseTo(t, j, payout.StepSend, here)
		leaseTo(t, j, payout.StepSend, "")
		pages := 0
		others, unknown, err := j.Accounts(context.Background(), 0, "eg", here, func() { pages++ })
		if err != nil || others != 67*9 || unknown != 9 || pages != 2 {
			t.Errorf("%d to others, %d unknown, %d pauses, %v", others, unknown, pages, err)
		}
		if others, unknown, err = j.Accounts(context.Background(), 7, "nobody", here, nil); err != nil || others+unknown != 0 {
			t.Errorf("%d, %d, %v", others, unknown, err)
		}
	})
}

// A lease skips a payout that may not be sent to this account and takes another one. The single
// payout that is leased as a probe is found behind those.
func TestALeaseToSendLooksBehindWhatMayNotBeSent(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 9, at("a", 3), at("b", 4), at("c", 5))
		b := leaseTo(t, j, payout.StepSend, there)
		if len(b.Payouts) != 3 {
			t.Fatalf("%+v", b.Payouts)
		}
		for _, p := range b.Payouts {
			p.State, p.Step, p.Disproved, p.Due = payout.StateReceived, payout.StepSend, 1, time.Now().Add(-time.Hour)
			if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p}); !got[0] {
				t.Fatal("not written")
			}
		}
		insert(t, j, 12, at("x", 9), at("y", 10))
		r := leases.Request{Step: payout.StepSend, Merchant: "eg", Account: here, N: 1, For: time.Minute}
		for range 2 {
			b, err := j.Lease(context.Background(), r)
			if err != nil || len(b.Payouts) != 1 || b.Payouts[0].Account != here || b.Payouts[0].Sends != 1 {
				t.Fatalf("%+v %v", b.Payouts, err)
			}
		}
		if b := leaseTo(t, j, payout.StepReview, ""); len(b.Payouts) != 3 {
			t.Errorf("%+v", b.Payouts)
		}
		checks(t, client, j)
	})
}
