package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/intake"
	"disburser/payout/leases"
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
	}{{"_memory", deduping}, {"_batch", grouping}} {
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

// oldJournal is a journal with payouts in every state. The scripts of layout 1 have written it,
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
func upgraded(t *testing.T, j *Journal, items ...epochs.Restored) {
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
	if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1}); err == nil {
		t.Fatal("an epoch was opened on records of the old layout")
	}
	if s, err = j.Standing(ctx); err != nil || s.Layout != 1 {
		t.Fatalf("%+v %v", s, err)
	}
	n, _, err := j.Upgrade(ctx, id, func(int) {})
	if err != nil || n != 25 {
		t.Fatalf("%d converted: %v", n, err)
	}
	if n, _, err := j.Upgrade(ctx, id, func(int) {}); err != nil || n != 0 {
		t.Fatalf("%d converted once more: %v", n, err)
	}
	if s, err = j.Standing(ctx); err != nil || s.Layout != epochs.Layout {
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
		firstLook(t, j)
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
			if score := h.sets["open:0:"+merchantKey(p)][tradeNo]; !contentless && float64(p.Source.Offset) != score {
				t.Errorf("%s stands at offset %d, and is kept at %v", tradeNo, p.Source.Offset, score)
			}
		}
		if p := show(t, client, j, "absent"); !p.Absent || p.Reason != "the provider refused it and has no record of it" || p.LastSend != finding.Refused {
			t.Errorf("%+v", p)
		}
		if p := show(t, client, j, "resent"); p.Sends != 1 || p.Disproved != 1 || p.Asks != 1 {
			t.Errorf("%+v", p)
		}
		if p := show(t, client, j, "not-sent"); !p.Unacknowledged || p.Sends != 0 {
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
	end := func(b leases.Leased) {
		for _, p := range b.Payouts {
			before := p.State
			forget := p.Step == payout.StepAnnounce && p.State.Final()
			switch {
			case p.State == payout.StateReceived && p.Step == payout.StepReview:
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
			if ok := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: before, After: p, Forget: forget}); !ok[0] {
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
		for _, r := range []leases.Request{
			{Step: payout.StepSend, Merchant: "eg"}, {Step: payout.StepAsk, Merchant: "eg"}, {Step: payout.StepReview}, {Step: payout.StepAnnounce},
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
		upgraded(t, j, was(epochs.WasDecided, "remembered-send", 0))
		if _, err := j.Position(context.Background(), 0, 0, false); err != nil {
			t.Fatal(err)
		}
		firstLook(t, j)
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

// From the moment in which a new version begins the next epoch, no script of an old one does
// anything. An old version that looks at the journal finds a window that isn't its own. It stays
// out, and says so.
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
		if _, _, err := j.Upgrade(ctx, id, func(int) {}); err == nil {
			t.Error("converted under a building that was taken over")
		}
		time.Sleep(2 * time.Millisecond)
		if err := j.Build(ctx, "second", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		if n, _, err := j.Upgrade(ctx, "second", func(int) {}); err != nil || n != 25 {
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

// newer is the layout of the next version.
var newer = strconv.Itoa(epochs.Layout + 1)

// A journal of a newer version is refused, whole and record by record.
func TestANewerLayoutIsRefused(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 4, order("a", "300"))
		ctx, key := context.Background(), j.prefix+"p:a"
		record := client.Get(ctx, key).Val()
		if _, err := decode("a", newer+record[1:]); err == nil || !strings.Contains(err.Error(), "layout") {
			t.Errorf("a record of a newer layout: %v", err)
		}
		client.HSet(ctx, j.prefix+"epoch", "layout", newer)
		if _, err := j.Standing(ctx); !strings.Contains(err.Error(), "newer version") {
			t.Errorf("an epoch of a newer layout: %v", err)
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
		if _, _, err := j.Insert(ctx, intake.Range{From: 4, To: 8}, []intake.Entry{{Payout: moved, Carried: payout.StateReceived}}); err != nil {
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

// building begins an epoch, converts, and opens it; it answers what could not be read.
func building(t *testing.T, j *Journal) []error {
	t.Helper()
	ctx, id := context.Background(), NewToken()
	s, err := j.Standing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Build(ctx, id, s.Epoch.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	if s, err = j.Standing(ctx); err != nil {
		t.Fatalf("the building that it began itself: %v", err)
	}
	var unread []error
	if s.Layout < epochs.Layout {
		if _, unread, err = j.Upgrade(ctx, id, func(int) {}); err != nil {
			t.Fatal(err)
		}
	}
	open(t, j, id)
	if s, err = j.Standing(ctx); err != nil || s.Layout != epochs.Layout || !s.Open() {
		t.Fatalf("%+v %v", s, err)
	}
	return unread
}

// Whatever an old version has left of its epoch, the next epoch begins. What older versions are
// told in the window's place is never taken for a window.
func TestAnEpochBeginsOnWhateverIsLeft(t *testing.T) {
	for name, leave := range map[string]func(ctx context.Context, t *testing.T, client redis.UniversalClient, j *Journal, old oldScripts){
		"an old building that never opened": func(_ context.Context, t *testing.T, _ redis.UniversalClient, _ *Journal, old oldScripts) {
			if a, err := old.run(t, "build", "never-opened", 1, ""); err != nil || word(a, 0) != "1" {
				t.Fatal(a, err)
			}
		},
		"the epoch is gone, the rest isn't": func(ctx context.Context, t *testing.T, client redis.UniversalClient, j *Journal, _ oldScripts) {
			client.Set(ctx, j.prefix+"total", "0", 0)
		},
		"an epoch without a window": func(ctx context.Context, t *testing.T, client redis.UniversalClient, j *Journal, _ oldScripts) {
			client.HSet(ctx, j.prefix+"epoch", "number", 4, "id", "long-ago", "run_id", "another", "shards", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
				j := New(client, Options{Namespace: "test-" + NewToken(), Window: time.Hour})
				t.Cleanup(func() { wipe(t, client, j) })
				leave(context.Background(), t, client, j, oldScripts{client, j})
				time.Sleep(2 * time.Millisecond) // the claim
				building(t, j)
				building(t, j)
			})
		})
	}
}

// One record that can't be read stops nobody. Numbers are bounded; what still can't be read
// is named, held and asked about, and waits for its command.
func TestOddRecordsOfLayout1(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j, _ := oldJournal(t, client)
		ctx := context.Background()
		var odd []string
		for tradeNo := range oldRecords(t, client, j) {
			if record := client.Get(ctx, j.prefix+"p:"+tradeNo).Val(); record[0] == 'r' && record[1] == 's' && record[84:90] != "999999" {
				odd = append(odd, tradeNo)
			}
		}
		slices.Sort(odd)
		if len(odd) < 5 {
			t.Fatalf("%q", odd)
		}
		spoil := func(tradeNo string, how func(record string) string) {
			record := client.Get(ctx, j.prefix+"p:"+tradeNo).Val()
			spoilt := how(record)
			if spoilt == record {
				t.Fatalf("%s is as it was: %q", tradeNo, record)
			}
			client.Set(ctx, j.prefix+"p:"+tradeNo, spoilt, 0)
		}
		replace := func(pattern, by string) func(string) string {
			return func(record string) string {
				at := regexp.MustCompile(pattern).FindStringIndex(record)
				return record[:at[0]] + by + record[at[1]:]
			}
		}
		spoil(odd[0], replace(`"t":\d+`, `"t":1700000000000000`))
		spoil(odd[1], replace(`"t":\d+`, `"t":-1`))
		spoil(odd[2], replace(`"t":\d+`, `"t":`))
		spoil(odd[3], func(record string) string { return record[:60] })
		spoil(odd[4], func(record string) string { return record[:30] + "\n" + record[31:] })
		unread := building(t, j)
		if text := fmt.Sprint(unread); len(unread) != 3 || !strings.Contains(text, odd[2]) || !strings.Contains(text, odd[3]) || !strings.Contains(text, odd[4]) {
			t.Fatalf("unread: %v", unread)
		}
		for i, want := range []int64{latest, 1} {
			if p := show(t, client, j, odd[i]); p.State != payout.StateReceived || p.Source.Time.UnixMilli() != want {
				t.Errorf("%+v", p)
			}
		}
		lanes := map[string]string{odd[2]: "eg", odd[3]: "", odd[4]: ""}
		for tradeNo, lane := range lanes {
			p := show(t, client, j, tradeNo)
			if p.State != payout.StateHeld || p.Step != payout.StepAsk || p.Source.Partition != nowhere || p.Reason == "" || p.HeldAt.IsZero() || p.Merchant != lane {
				t.Errorf("%+v", p)
			}
			for _, set := range client.Keys(ctx, "*due:*").Val() {
				in := client.ZScore(ctx, set, tradeNo).Err() == nil
				if want := set == j.prefix+"due:a:"+lane; in != want && strings.HasPrefix(set, j.prefix) {
					t.Errorf("%s in %s: %v", tradeNo, set, in)
				}
			}
			kept := false
			for _, set := range client.Keys(ctx, "*open:*").Val() {
				kept = kept || client.ZScore(ctx, set, tradeNo).Err() == nil
			}
			if !kept {
				t.Errorf("%s doesn't hold the safe mark back", tradeNo)
			}
		}
		b, err := j.Lease(ctx, leases.Request{Step: payout.StepSend, Merchant: "eg", N: 100, For: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Payouts {
			if _, held := lanes[p.TradeNo]; held {
				t.Errorf("%s is sent", p.TradeNo)
			}
		}
	})
}

// Who has stopped half way through a conversion was of a newer version: this one neither
// joins nor builds, whether it looks or not.
func TestAHalfConvertedJournalIsRefused(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for _, field := range []string{"building_layout", "layout"} {
			for _, value := range []string{strconv.Itoa(epochs.Layout + 1), "10", "odd"} {
				j := newJournal(t, client, time.Hour)
				ctx, key := context.Background(), j.prefix+"epoch"
				s, err := j.Standing(ctx)
				if err != nil {
					t.Fatal(err)
				}
				client.HSet(ctx, key, field, value)
				if _, err := j.Standing(ctx); !errors.Is(err, epochs.ErrNewerLayout) {
					t.Errorf("%s %s: %v", field, value, err)
				}
				before := client.HGetAll(ctx, key).Val()
				if err := j.Build(ctx, "late", s.Epoch.ID, time.Minute); !errors.Is(err, epochs.ErrNewerLayout) {
					t.Errorf("%s %s: built: %v", field, value, err)
				}
				if after := client.HGetAll(ctx, key).Val(); !maps.Equal(before, after) {
					t.Errorf("%s %s: %v became %v", field, value, before, after)
				}
			}
		}
		// What this version leaves half done says so, until it is done.
		j, _ := oldJournal(t, client)
		ctx := context.Background()
		if err := j.Build(ctx, "half", "first-building", time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{strconv.Itoa(epochs.Layout), ""} {
			if got := client.HGet(ctx, j.prefix+"epoch", "building_layout").Val(); got != want {
				t.Errorf("building_layout is %q, want %q", got, want)
			}
			if _, _, err := j.Upgrade(ctx, "half", func(int) {}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A record of another layout that stands there all the same is neither sent, nor changed,
// nor restored over, nor taken for another one's.
func TestARecordOfAnotherLayoutIsLeftAlone(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 9, at("a", 3), at("b", 4), at("c", 5))
		ctx := context.Background()
		leased := lease(t, j, payout.StepSend, "eg", 1)
		if len(leased.Payouts) != 1 {
			t.Fatalf("%+v", leased)
		}
		key := j.prefix + "p:" + leased.Payouts[0].TradeNo
		other := strconv.Itoa(epochs.Layout + 1)
		foreign := other + client.Get(ctx, key).Val()[1:]
		client.Set(ctx, key, foreign, 0)
		p := leased.Payouts[0]
		p.State, p.Step = payout.StatePaid, payout.StepAnnounce
		if ok := apply(t, j, leases.Change{Token: leased.Token, Epoch: leased.Epoch, Before: payout.StateSending, After: p}); ok[0] {
			t.Error("written over")
		}
		waiting := "b"
		if p.TradeNo == "b" {
			waiting = "a"
		}
		client.Set(ctx, j.prefix+"p:"+waiting, other+client.Get(ctx, j.prefix+"p:"+waiting).Val()[1:], 0)
		b, err := j.Lease(ctx, leases.Request{Step: payout.StepSend, Merchant: "eg", N: 5, For: time.Minute})
		if err == nil || !strings.Contains(err.Error(), waiting) || len(b.Payouts) != 1 || b.Payouts[0].TradeNo == waiting {
			t.Errorf("%+v %v", b.Payouts, err)
		}
		if b, err = j.Lease(ctx, leases.Request{Step: payout.StepSend, Merchant: "eg", N: 5, For: time.Minute}); err != nil || len(b.Payouts) != 0 {
			t.Errorf("it stands in the way of others: %+v %v", b, err)
		}
		if _, _, err := j.Insert(ctx, intake.Range{From: 9, To: 10}, []intake.Entry{{Payout: at(p.TradeNo, 9)}}); !errors.Is(err, epochs.ErrNewerLayout) {
			t.Errorf("inserted: %v", err)
		}
		s, _ := j.Standing(ctx)
		if err := j.Build(ctx, "next", s.Epoch.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []epochs.RestoredKind{epochs.WasAnnounced, epochs.WasHeld, epochs.WasDecided, epochs.WasEnded} {
			r := was(kind, p.TradeNo, payout.StateFailed)
			if err := j.Restore(ctx, "next", time.Minute, []epochs.Restored{r}); !errors.Is(err, epochs.ErrNewerLayout) {
				t.Errorf("%c restored: %v", kind, err)
			}
		}
		if got := client.Get(ctx, key).Val(); got != foreign {
			t.Errorf("%q became %q", foreign, got)
		}
		if _, _, err := converting("a", foreign); !errors.Is(err, epochs.ErrNewerLayout) {
			t.Errorf("converted: %v", err)
		}
	})
}
