package disburse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// settling is a payout that is asked about at once, and then paid.
func settling(no string) payout.Payout {
	p := doubtful(no)
	p.Due = time.Now()
	return p
}

func TestWhatSettlesIsAnnouncedUnderTheLeaseOfItsAsk(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var all []payout.Payout
		for i := range 50 {
			all = append(all, settling(fmt.Sprintf("a%04d", i)))
		}
		b := newBench(t, all...)
		b.start()
		time.Sleep(time.Second)
		b.stop()
		for _, p := range all {
			if len(b.events(p.TradeNo)) != 1 || b.journal.forgotten(p.TradeNo) != payout.StatePaid {
				t.Errorf("%s was announced %d times and is %v", p.TradeNo, len(b.events(p.TradeNo)), b.journal.get(p.TradeNo).State)
			}
		}
		if n := b.journal.called("lease announce"); n != 0 {
			t.Errorf("%d leases to announce what was at hand", n)
		}
	})
}

// Who has taken the payout over announces it, and not who couldn't write what it found.
func TestWhatCouldNotBeWrittenIsNotAnnounced(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, settling("a1"))
		p := b.merchant("a").Provider.(provider)
		p.ask = func(context.Context, string, time.Time) finding.Finding {
			b.journal.mu.Lock()
			defer b.journal.mu.Unlock()
			b.journal.rows["a1"].token, b.journal.rows["a1"].Due = "somebody else's", time.Now().Add(time.Hour)
			return finding.Finding{Kind: finding.Paid, Served: true}
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		if n := len(b.events("a1")); n != 0 {
			t.Errorf("announced %d times", n)
		}
	})
}

// A write that is answered after the lease says nothing about now. The journal hands the
// payout out again, and it is announced once by whoever gets it.
func TestALeaseThatIsOverAnnouncesNothing(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, settling("a1"))
		slow := true
		b.journal.fault = func(op string) error {
			if op == "apply" && slow {
				slow = false
				time.Sleep(28*time.Second + time.Millisecond) // the lease is 30 s, its margin 2 s
			}
			return nil
		}
		b.start()
		time.Sleep(29 * time.Second)
		if n := len(b.events("a1")); n != 0 {
			t.Errorf("announced %d times at the lease's end", n)
		}
		time.Sleep(time.Minute)
		b.stop()
		if n := len(b.events("a1")); n != 1 || b.journal.forgotten("a1") != payout.StatePaid {
			t.Errorf("announced %d times, now %v", n, b.journal.get("a1").State)
		}
	})
}

// An end by our own word is a decision first, also where its finder still has the lease.
func TestAnAbsenceIsDecidedBeforeItIsAnnounced(t *testing.T) {
	inTime(t, func(t *testing.T) {
		absent := settling("a1")
		absent.LastSend, absent.Sends, absent.NoRecords = finding.Refused, 1, 2
		absent.SendBy, absent.NoRecordAt = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
		b := newBench(t, absent)
		b.journal.served["a"] = leases.Evidence{ServedAt: time.Now().Add(-time.Second), About: "another", Settled: "another"}
		p := b.merchant("a").Provider.(provider)
		p.ask = func(context.Context, string, time.Time) finding.Finding {
			return finding.Finding{Kind: finding.NoRecord}
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		trace := b.noted()
		decided, said := slices.Index(trace, "final decided a1"), slices.Index(trace, "announce a1")
		if decided < 0 || said < decided || b.journal.forgotten("a1") != payout.StateFailed {
			t.Errorf("decided %d, announced %d: %v", decided, said, trace)
		}
	})
}

// While Kafka takes nothing, the memory doesn't fill: the rest waits in the journal, and all
// of it is announced in the end.
func TestAKafkaThatIsAwayFillsNoMemory(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var all []payout.Payout
		for i := range announcementsInHand + 1000 {
			all = append(all, settling(fmt.Sprintf("a%05d", i)))
		}
		b := newBench(t, all...)
		back := time.Now().Add(20 * time.Second)
		b.announce.results = func(ctx context.Context, events []message.Event) ([]bool, error) {
			if !time.Now().Before(back) {
				return slices.Repeat([]bool{true}, len(events)), nil
			}
			pause(ctx, time.Until(back))
			return make([]bool, len(events)), errKafka
		}
		b.start()
		for range 19 {
			time.Sleep(time.Second)
			b.toAnnounce.mu.Lock()
			if n := len(b.toAnnounce.waiting) + b.toAnnounce.reserved; n > announcementsInHand {
				t.Errorf("%d wait in memory", n)
			}
			b.toAnnounce.mu.Unlock()
		}
		time.Sleep(2 * time.Minute)
		b.stop()
		if n := b.journal.left(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// What has settled when the stop comes is announced before the loop ends.
func TestAStopAnnouncesWhatHasSettled(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, settling("a1"))
		p := b.merchant("a").Provider.(provider)
		p.ask = func(context.Context, string, time.Time) finding.Finding {
			time.Sleep(2 * time.Second)
			return finding.Finding{Kind: finding.Paid, Served: true}
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(time.Second)
		b.stop()
		if len(b.events("a1")) != 1 || b.journal.forgotten("a1") != payout.StatePaid {
			t.Errorf("announced %d times, now %v: %s", len(b.events("a1")), b.journal.get("a1").State, strings.Join(b.noted(), ", "))
		}
	})
}
