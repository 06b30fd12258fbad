package journal

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
)

// oldScripts runs the scripts of layout 1, which stand in testdata as they were.
type oldScripts struct {
	client redis.UniversalClient
	j      *Journal
}

func (o oldScripts) run(t *testing.T, name string, args ...any) ([]any, error) {
	t.Helper()
	text := ""
	files := []string{"_layout"}
	for _, part := range []struct {
		file string
		of   map[string]bool
	}{{"_memory", remembering}, {"_batch", batching}} {
		if part.file == "_memory" && !unbelieving[name] {
			files = append(files, "_believe")
		}
		if part.of[name] {
			files = append(files, part.file)
		}
	}
	for _, file := range append(files, name) {
		part, err := os.ReadFile("testdata/layout1/" + file + ".lua")
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	answer, err := o.client.Eval(context.Background(), text, []string{o.j.prefix, o.j.prefix + "moving"}, args...).Result()
	if list, ok := answer.([]any); ok {
		return list, err
	}
	return []any{answer}, err
}

// oldJournal is a journal with payouts in every state, written by the scripts of layout 1
// with the arguments that the program of that time gave them. Times in these stand as
// milliseconds from now.
func oldJournal(t *testing.T, client redis.UniversalClient) (*Journal, oldScripts) {
	t.Helper()
	j := New(client, Options{Namespace: "test-" + NewToken(), Window: 87600 * time.Hour})
	t.Cleanup(func() { wipe(t, client, j) })
	text, err := os.ReadFile("testdata/layout1/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	if err := json.Unmarshal(text, &calls); err != nil {
		t.Fatal(err)
	}
	old, base := oldScripts{client, j}, time.Now().UnixMilli()
	moment := regexp.MustCompile(`<[+-]\d+>`)
	for _, call := range calls {
		args := make([]any, len(call)-1)
		for i, arg := range call[1:] {
			args[i] = moment.ReplaceAllStringFunc(arg, func(m string) string {
				ms, _ := strconv.ParseInt(m[1:len(m)-1], 10, 64)
				return strconv.FormatInt(base+ms, 10)
			})
		}
		if _, err := old.run(t, call[0], args...); err != nil {
			t.Fatalf("%s %q: %v", call[0], args, err)
		}
	}
	return j, old
}

// upgraded begins an epoch on an old journal, as a keeper does.
func upgraded(t *testing.T, j *Journal, items ...payout.Restored) {
	t.Helper()
	ctx := context.Background()
	s, err := j.Standing(ctx)
	if err != nil || s.Layout != 1 || !s.Open() {
		t.Fatalf("%+v %v", s, err)
	}
	id := NewToken()
	if err := j.Build(ctx, id, s.Epoch.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := j.OpenEpoch(ctx, payout.Opening{Epoch: payout.Epoch{Number: 2, ID: id}, Shards: 1}); err == nil {
		t.Fatal("an epoch was opened on records of the old layout")
	}
	if s, err = j.Standing(ctx); err != nil || s.Layout != 1 {
		t.Fatalf("%+v %v", s, err)
	}
	n, err := j.Upgrade(ctx, id)
	if err != nil || n != 25 {
		t.Fatalf("%d converted: %v", n, err)
	}
	if n, err := j.Upgrade(ctx, id); err != nil || n != 0 {
		t.Fatalf("%d converted once more: %v", n, err)
	}
	if s, err = j.Standing(ctx); err != nil || s.Layout != payout.Layout {
		t.Fatalf("%+v %v", s, err)
	}
	restore(t, j, id, items...)
	open(t, j, id)
}

// What an old version left open is as it was after the upgrade, and goes on from there.
func TestAJournalOfLayout1GoesOn(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j, _ := oldJournal(t, client)
		before := map[string]string{}
		for tradeNo := range oldRecords(t, client, j) {
			before[tradeNo] = client.Get(context.Background(), j.prefix+"p:"+tradeNo).Val()
		}
		upgraded(t, j)
		h := checks(t, client, j) // counts, sets and records still fit
		if len(h.records) != len(before) {
			t.Fatalf("%d records became %d", len(before), len(h.records))
		}
		for tradeNo, old := range before {
			p := show(t, client, j, tradeNo)
			if string(p.State) != old[:1] || string(p.Step) != old[1:2] || string(p.Fingerprint) != old[27:43] || p.Account != "" {
				t.Errorf("%s was %q and is %+v", tradeNo, old, p)
			}
			if own := old[0] == 'R' || old[0] == 'F' && strings.Contains(old, `"ab":true`); own != p.Own() {
				t.Errorf("%s: an end by our own word: %v, was %v", tradeNo, p.Own(), own)
			}
			contentless := p.Source.Partition == nowhere
			switch {
			case contentless || tradeNo == "scheduled":
				if p.BatchID != "" {
					t.Errorf("%s: batch %q", tradeNo, p.BatchID)
				}
			case tradeNo == "odd-batch":
				if p.BatchID != `line one \ two` || p.Remark != "naïve \"remark\"\n" {
					t.Errorf("%s: %q %q", tradeNo, p.BatchID, p.Remark)
				}
			case p.BatchID != "batch of "+tradeNo || p.BatchSize != 9 || p.Source.Time.IsZero() || p.Amount.String() != "300":
				t.Errorf("%+v", p)
			}
			if score := h.sets["open:0:"+lane(p)][tradeNo]; !contentless && float64(p.Source.Offset) != score {
				t.Errorf("%s stands at offset %d, and is kept at %v", tradeNo, p.Source.Offset, score)
			}
		}
		if p := show(t, client, j, "absent"); !p.Absent || p.Reason != "the provider refused it and has no record of it" || p.LastSend != payout.Refused {
			t.Errorf("%+v", p)
		}
		if p := show(t, client, j, "resent"); p.Sends != 1 || p.Disproved != 1 || p.Asks != 1 {
			t.Errorf("%+v", p)
		}
		if p := show(t, client, j, "not-sent"); !p.Unheard || p.Sends != 0 {
			t.Errorf("%+v", p)
		}
		finish(t, j)
		checks(t, client, j)
		if census, err := j.Count(context.Background(), []int{0}); err != nil || census.Open != 3 { // whose command has never come, so that nothing can be said of them
			t.Errorf("%+v, %v", census, err)
		}
	})
}

// oldRecords are the tradeNos of all records.
func oldRecords(t *testing.T, client redis.UniversalClient, j *Journal) map[string]bool {
	t.Helper()
	keys, err := client.Keys(context.Background(), strings.NewReplacer("{", "\\{", "}", "\\}").Replace(j.prefix)+"p:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, key := range keys {
		all[strings.TrimPrefix(key, j.prefix+"p:")] = true
	}
	return all
}

// finish takes every payout to its end: what is held is found paid.
func finish(t *testing.T, j *Journal) {
	t.Helper()
	ctx := context.Background()
	end := func(b payout.Batch) {
		for _, p := range b.Payouts {
			before := p.State
			forget := p.Step == payout.StepAnnounce && p.State.Final()
			switch {
			case p.State == payout.StateReceived && p.Step == payout.StepExpire:
				if p.TradeNo != "expired" && p.TradeNo != "resent" {
					t.Errorf("%s must not be sent?", p.TradeNo)
				}
				var err error
				if p, err = p.NotSendable(time.Now(), "account1"); err != nil {
					t.Error(err)
				}
				if p.TradeNo == "resent" && p.State != payout.StateHeld {
					t.Errorf("resent: nobody knows to which account it was sent, and it is %v", p.State)
				}
			case p.Step == payout.StepAnnounce && p.State == payout.StateHeld:
				p.Step = payout.StepAsk
			case forget:
			default:
				p.State, p.Step = payout.StatePaid, payout.StepAnnounce
			}
			p.Due = time.Now().Add(-time.Second)
			if ok := apply(t, j, payout.Change{Token: b.Token, Epoch: b.Epoch, Before: before, After: p, Forget: forget}); !ok[0] {
				t.Errorf("%s isn't written", p.TradeNo)
			}
		}
	}
	// The leases of the old version are over, and the time has come for what was to wait.
	for set, lane := range map[string]string{"due:a:eg": "eg", "due:s:eg": "eg", "due:n": "", "due:x": ""} {
		for _, tradeNo := range j.client.ZRange(ctx, j.prefix+set, 0, -1).Val() {
			if !(set == "due:x" && tradeNo == "scheduled") {
				j.client.ZAdd(ctx, j.prefix+set, redis.Z{Score: 1, Member: tradeNo})
			}
		}
		_ = lane
	}
	for range 6 {
		for _, r := range []payout.LeaseRequest{
			{Step: payout.StepSend, Merchant: "eg"}, {Step: payout.StepAsk, Merchant: "eg"}, {Step: payout.StepExpire}, {Step: payout.StepAnnounce},
		} {
			r.Account, r.N, r.For = "account1", 100, time.Minute
			b, err := j.Lease(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			end(b)
		}
	}
}

// What an old version remembers is remembered: ends, and what a rebuild has learned.
func TestTheMemoryOfLayout1IsKept(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j, _ := oldJournal(t, client)
		upgraded(t, j, was(payout.WasDecided, "remembered-send", 0))
		if _, err := j.Position(context.Background(), 0, 0, false); err != nil {
			t.Fatal(err)
		}
		if got := insert(t, j, 30, order("remembered-paid", "300"), order("forgotten", "300"), at("remembered-send", 28), at("remembered-hold", 29)); got != "dddd" {
			t.Errorf("outcomes %q", got)
		}
		if p := show(t, client, j, "remembered-send"); p.State != payout.StateSending || p.Merchant != "eg" || p.Account != "" {
			t.Errorf("%+v", p)
		}
		if p := show(t, client, j, "remembered-hold"); p.State != payout.StateHeld || p.Merchant != "eg" {
			t.Errorf("%+v", p)
		}
		checks(t, client, j)
	})
}

// From the moment in which a new version begins the next epoch, no script of an old one
// does anything, and an old one that looks at the journal finds a window that isn't its
// own: it stays out, and says so.
func TestAnOldVersionIsRefused(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j, old := oldJournal(t, client)
		const epoch = "first-building"
		if _, err := old.run(t, "marks", epoch, 0); err != nil {
			t.Fatal(err)
		}
		ctx, id := context.Background(), NewToken()
		if err := j.Build(ctx, id, epoch, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		look := func(when string) {
			t.Helper()
			for _, name := range []string{"marks", "due", "lease", "apply", "insert", "counts", "linger", "watermark", "position"} {
				if _, err := old.run(t, name, epoch, "1", "0", "0", "0", "0"); err == nil || !strings.Contains(err.Error(), "EPOCH") {
					t.Errorf("%s: %s of the old version: %v", when, name, err)
				}
			}
			a, err := old.run(t, "epoch", "")
			if err != nil {
				t.Fatal(err)
			}
			if got := pairs(a, 8)["window"]; got == "" || got == strconv.FormatInt(j.window.Milliseconds(), 10) || !strings.Contains(got, "newer version") {
				t.Errorf("%s: the old version reads the window %q, and goes on", when, got)
			}
		}
		look("while it is being upgraded")
		if got := j.settings(1); got == "1/315360000000" {
			t.Errorf("an old version takes part in a rebuild for the settings %q", got)
		}
		time.Sleep(2 * time.Millisecond)
		// An old version that looked before the upgrade began takes the building over. It
		// looks once more before it does anything under it.
		if a, err := old.run(t, "build", "old-attempt", 1, epoch); err != nil || word(a, 0) != "1" {
			t.Fatal(a, err)
		}
		look("after an old version has begun to build")
		if _, err := j.Upgrade(ctx, id); err == nil {
			t.Error("converted under a building that was taken over")
		}
		time.Sleep(2 * time.Millisecond)
		if err := j.Build(ctx, "second", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		if n, err := j.Upgrade(ctx, "second"); err != nil || n != 25 {
			t.Fatal(n, err)
		}
		open(t, j, "second")
		look("after the upgrade")
		if s, err := j.Standing(ctx); err != nil || !s.Open() {
			t.Errorf("%+v %v", s, err)
		}
		other := New(client, Options{Namespace: strings.TrimSuffix(j.prefix, ":{0}:"), Window: time.Hour})
		if _, err := other.Standing(ctx); err == nil || !strings.Contains(err.Error(), "windows of 315360000000 ms") {
			t.Errorf("another window: %v", err)
		}
	})
}

// A journal of a newer version is refused, whole and record by record.
func TestANewerLayoutIsRefused(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 4, order("a", "300"))
		ctx, key := context.Background(), j.prefix+"p:a"
		record := client.Get(ctx, key).Val()
		if _, err := decode("a", "3"+record[1:]); err == nil || !strings.Contains(err.Error(), "layout") {
			t.Errorf("a record of layout 3: %v", err)
		}
		client.HSet(ctx, j.prefix+"epoch", "layout", "3")
		if _, err := j.Standing(ctx); !strings.Contains(err.Error(), "newer version") {
			t.Errorf("an epoch of layout 3: %v", err)
		}
	})
}

// What a newer version has written within this layout is there after the next writes.
func TestUnknownFieldsSurvive(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		insert(t, j, 4, at("a", 3))
		key := j.prefix + "p:a"
		lines := strings.Split(client.Get(ctx, key).Val(), "\n")
		lines[2] = strings.Replace(lines[2], "{", `{"hue":"red",`, 1)
		lines[3] = `{"zz":{"by":["alice"]},"dp":1}`
		head := []byte(lines[0])
		head[flagsAt+1] = 'x'
		lines[0] = string(head)
		client.Set(ctx, key, strings.Join(lines, "\n"), 0)
		for range 2 {
			b := lease(t, j, payout.StepSend, "eg", 1)
			write(t, j, b, func(p *payout.Payout) {
				p.State, p.Step, p.Due = payout.StateReceived, payout.StepSend, time.Now().Add(-time.Second)
				p.Asks++
			})
		}
		moved := at("a", 7)
		if _, _, err := j.Insert(ctx, payout.Range{From: 4, To: 8}, []payout.Entry{{Payout: moved, Carried: payout.StateReceived}}); err != nil {
			t.Fatal(err)
		}
		got := client.Get(ctx, key).Val()
		if !strings.Contains(got, `"hue":"red"`) || !strings.Contains(got, `"zz":{"by":["alice"]}`) || got[flagsAt+1] != 'x' {
			t.Errorf("lost: %s", got)
		}
		if p := show(t, client, j, "a"); p.Asks != 2 || p.Disproved != 1 || p.Source.Offset != 7 || p.Unread != `"zz":{"by":["alice"]}` {
			t.Errorf("%+v", p)
		}
	})
}
