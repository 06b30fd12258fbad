package journal

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// recordsAt are the places of payout.Transitions that have a record, with what stands in it.
var recordsAt = map[string]payout.Payout{
	"received": {State: payout.StateReceived}, "sending": {State: payout.StateSending}, "processing": {State: payout.StateProcessing},
	"held": {State: payout.StateHeld}, "paid": {State: payout.StatePaid}, "partial": {State: payout.StatePartial},
	"failed": {State: payout.StateFailed}, "failed by absence": {State: payout.StateFailed, Absent: true}, "rejected": {State: payout.StateRejected},
	"paid by a person": {State: payout.StatePaid, By: "alice"}, "failed by a person": {State: payout.StateFailed, By: "alice"},
}

// memoriesOf are the places without a record, with what a rebuild must be told for them.
var memoriesOf = map[string][]epochs.RestoredKind{
	"unknown": nil, "remembered as sent": {epochs.WasDecided}, "remembered as held": {epochs.WasHeld}, "remembered as ended": {epochs.WasAnnounced},
}

// stage is a journal with a payout at every place, in each of some variants.
type stage struct {
	t      *testing.T
	client redis.UniversalClient
	j      *Journal
	from   map[string]string // the place of each tradeNo
}

// onStage sets up a journal with a payout at every place and in each variant. setUp may
// change the payout whose record is written; it answers the token and the end of a lease.
func onStage(t *testing.T, client redis.UniversalClient, variants []string, setUp func(variant string, p *payout.Payout) (token string, until time.Time)) stage {
	t.Helper()
	s := stage{t, client, newJournal(t, client, time.Hour), map[string]string{}}
	var items []epochs.Restored
	for name, kinds := range memoriesOf {
		for _, v := range variants {
			tradeNo := name + "/" + v
			s.from[tradeNo] = name
			for _, kind := range kinds {
				items = append(items, was(kind, tradeNo, payout.StatePaid))
			}
		}
	}
	emptied(t, client, s.j, items...)
	for name, of := range recordsAt {
		for _, v := range variants {
			tradeNo := name + "/" + v
			s.from[tradeNo] = name
			p := at(tradeNo, 3)
			p.State, p.Absent, p.By, p.Step = of.State, of.Absent, of.By, payout.StepAnnounce
			switch p.State {
			case payout.StateReceived:
				p.Step = payout.StepSend
			case payout.StateSending, payout.StateProcessing, payout.StateHeld:
				p.Step = payout.StepAsk
			default:
			}
			if p.State != payout.StateReceived && p.State != payout.StateRejected {
				p.Sends, p.LastSentAt, p.SendBy = 1, time.Now(), time.Now()
			}
			token, until := setUp(v, &p)
			s.store(p, token, until)
		}
	}
	return s
}

func (s stage) store(p payout.Payout, token string, until time.Time) {
	s.t.Helper()
	record := encodeUnder(p, token)
	record = head(p, token, until) + record[headLen:]
	if err := s.client.Set(context.Background(), s.j.prefix+"p:"+p.TradeNo, record, 0).Err(); err != nil {
		s.t.Fatal(err)
	}
}

func asItIs(string, *payout.Payout) (string, time.Time) { return noToken, time.Time{} }

// places are where all payouts are now.
func (s stage) places() map[string]string {
	s.t.Helper()
	h, now := heldBy(s.t, s.client, s.j), map[string]string{}
	for tradeNo := range s.from {
		record, open := h.records[tradeNo]
		memo := h.memos[tradeNo]
		switch {
		case open:
			p, err := decode(tradeNo, record)
			if err != nil {
				s.t.Fatal(err)
			}
			switch now[tradeNo] = p.State.String(); {
			case p.Absent:
				now[tradeNo] = "failed by absence"
			case p.EndedByPerson() && p.State != payout.StateRejected:
				now[tradeNo] += " by a person"
			}
		case memo == "":
			now[tradeNo] = "unknown"
		case memo[0] != 'S':
			now[tradeNo] = "remembered as ended"
		case memo[17:30] == strings.Repeat("0", 13):
			now[tradeNo] = "remembered as held"
		default:
			now[tradeNo] = "remembered as sent"
		}
	}
	return now
}

// changes are the changes of place since the stage was set up.
func (s stage) changes() map[string]bool {
	seen := map[string]bool{}
	for tradeNo, now := range s.places() {
		if before := s.from[tradeNo]; now != before {
			seen[before+" → "+now] = true
		}
	}
	return seen
}

// asListed fails where a script does what payout.Transitions don't list, or the other way round.
func asListed(t *testing.T, origin string, seen map[string]bool) {
	t.Helper()
	want := map[string]bool{}
	for _, tr := range payout.Transitions {
		for _, from := range tr.From {
			if tr.Origin == origin {
				want[from+" → "+tr.To] = true
			}
		}
	}
	for _, c := range slices.Sorted(maps.Keys(seen)) {
		if !want[c] {
			t.Errorf("%s does this, and payout.Transitions don't list it: %s", origin, c)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(want)) {
		if !seen[c] {
			t.Errorf("payout.Transitions list this of %s, and it never does it: %s", origin, c)
		}
	}
}

// product are all ways to take one word of each list.
func product(lists ...[]string) []string {
	all := []string{""}
	for _, list := range lists {
		var next []string
		for _, so := range all {
			for _, word := range list {
				next = append(next, so+" "+word)
			}
		}
		all = next
	}
	return all
}

// transitionsOf runs one script over every place, and says which changes came of it.
var transitionsOf = map[string]func(t *testing.T, client redis.UniversalClient) (origin string, seen map[string]bool){
	"insert": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		s := onStage(t, client, product([]string{"own", "carried:r", "carried:s", "carried:h"}, []string{"fresh", "old"}, []string{"valid", "invalid"}, []string{"same", "other"}, []string{"whole", "contentless", "parked"}),
			func(v string, p *payout.Payout) (string, time.Time) {
				if strings.Contains(v, "contentless") {
					p.Source.Partition = nowhere
				}
				if strings.Contains(v, "parked") && p.State == payout.StateReceived {
					p.Step = payout.StepParked
				}
				return noToken, time.Time{}
			})
		var entries []intake.Entry
		for tradeNo := range s.from {
			amount, invalid, age := "300", "", time.Duration(0)
			if strings.Contains(tradeNo, "other") {
				amount = "301"
			}
			if strings.Contains(tradeNo, "invalid") {
				invalid = "amount is too small"
			}
			if strings.Contains(tradeNo, "old") {
				age = 2 * time.Hour
			}
			e := intake.Entry{Payout: payout.Begin(order(tradeNo, amount).Command, "egypt", payout.Source{Offset: 3, Time: time.Now().Add(-age)}, invalid, time.Now())}
			if _, letter, carried := strings.Cut(tradeNo, "carried:"); carried {
				e.Carried = payout.State(letter[0])
			}
			entries = append(entries, e)
		}
		if _, _, err := s.j.Insert(context.Background(), intake.Range{From: 0, To: 9}, entries); err != nil {
			t.Fatal(err)
		}
		return "insert.lua", s.changes()
	},
	"lease": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		seen := map[string]bool{}
		for _, step := range []payout.Step{payout.StepSend, payout.StepAsk, payout.StepAnnounce, payout.StepReview} {
			s := onStage(t, client, product([]string{"step:s", "step:a", "step:n", "step:x"}, []string{"valid", "expired"}, []string{"first", "again", "elsewhere"}),
				func(v string, p *payout.Payout) (string, time.Time) {
					_, letter, _ := strings.Cut(v, "step:")
					p.Step = payout.Step(letter[0])
					if strings.Contains(v, "expired") {
						p.ExpiresAt = time.Now().Add(-time.Second)
					}
					if !strings.Contains(v, "first") {
						p.Sends, p.Account = 1, here
					}
					if strings.Contains(v, "elsewhere") {
						p.Account = there
					}
					return noToken, time.Time{}
				})
			var all []redis.Z
			for tradeNo := range s.from {
				all = append(all, redis.Z{Score: 1, Member: tradeNo})
			}
			for _, set := range []string{"due:s:eg", "due:a:eg", "due:n", "due:x"} {
				if err := client.ZAdd(context.Background(), s.j.prefix+set, all...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			r := leases.Request{Step: step, Merchant: "eg", Account: here, N: 1000, For: time.Minute}
			if step == payout.StepAnnounce || step == payout.StepReview {
				r.Merchant = ""
			}
			b, err := s.j.Lease(context.Background(), r)
			if err != nil || len(b.Payouts) == 0 {
				t.Fatalf("%d leased to %v: %v", len(b.Payouts), step, err)
			}
			for _, p := range b.Payouts {
				if from := s.from[p.TradeNo]; step == payout.StepSend && from != "received" {
					t.Errorf("leased to be sent: %s, which is %s", p.TradeNo, from)
				}
			}
			maps.Copy(seen, s.changes())
		}
		return "lease.lua", seen
	},
	// What the table and the methods decide is written as it is, if token and state are still
	// the caller's. Nothing is forgotten but what the step announce forgets.
	"apply": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		token, until := NewToken(), time.Now().Add(time.Minute)
		var variants []string
		for to := range recordsAt {
			variants = append(variants, product([]string{"mine", "stale", "stolen"}, []string{"becomes:" + to})...)
		}
		s := onStage(t, client, append(variants, "announced"), func(string, *payout.Payout) (string, time.Time) { return token, until })
		var changes []leases.Change
		for tradeNo, from := range s.from {
			was, isOpen := recordsAt[from]
			c := leases.Change{Token: token, Epoch: s.j.epoch.id(), Before: was.State, After: at(tradeNo, 3)}
			_, to, known := strings.Cut(tradeNo, "becomes:")
			becomes := recordsAt[to]
			if !known { // as disburse/announce.go does
				becomes, c.Forget = was, was.State.Final()
			}
			c.After.State, c.After.Absent, c.After.By, c.After.Step = becomes.State, becomes.Absent, becomes.By, payout.StepAsk
			if strings.Contains(tradeNo, "stolen") {
				c.Token = NewToken()
			}
			if strings.Contains(tradeNo, "stale") {
				c.Before = payout.StateReceived
				if was.State == payout.StateReceived {
					c.Before = payout.StateSending
				}
			}
			if isOpen {
				changes = append(changes, c)
			}
		}
		apply(t, s.j, changes...)
		seen := map[string]bool{}
		for tradeNo, now := range s.places() {
			from, want := s.from[tradeNo], s.from[tradeNo]
			_, open := recordsAt[from]
			if _, to, known := strings.Cut(tradeNo, "becomes:"); known {
				if strings.Contains(tradeNo, "mine") && open {
					want = to
				}
				if now != want {
					t.Errorf("%s: it is %s, want %s", tradeNo, now, want)
				}
			} else if now != from {
				seen[from+" → "+now] = true
			}
		}
		return "announce", seen
	},
	"resolve": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		token, until := NewToken(), time.Now().Add(time.Minute)
		s := onStage(t, client, []string{"waits"}, func(_ string, p *payout.Payout) (string, time.Time) {
			p.Country = ""
			return token, until
		})
		before := heldBy(t, client, s.j).records
		var known []payout.Payout
		for tradeNo := range s.from {
			p := at(tradeNo, 3)
			if record, open := before[tradeNo]; open {
				p, _ = decode(tradeNo, record)
				p.State, p.Absent, p.By = payout.StateReceived, false, ""
			}
			known = append(known, p.Resolved(p.Command, "egypt", time.Now()))
		}
		if _, err := s.j.Resolve(context.Background(), leases.Lease{Token: token, Epoch: s.j.epoch.id()}, known); err != nil {
			t.Fatal(err)
		}
		seen, after := map[string]bool{}, s.places()
		for tradeNo, record := range heldBy(t, client, s.j).records {
			if record != before[tradeNo] {
				seen[s.from[tradeNo]+" → "+after[tradeNo]] = true
			}
		}
		maps.Copy(seen, s.changes())
		return "resolve.lua", seen
	},
	"park": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		seen := map[string]bool{}
		for _, to := range []payout.Step{payout.StepParked, payout.StepSend, payout.StepReview} {
			s := onStage(t, client, []string{"due", "parked"}, asItIs)
			var all, parked []string
			for tradeNo := range s.from {
				client.ZAdd(context.Background(), s.j.prefix+"due:s:eg", redis.Z{Score: 1, Member: tradeNo})
				if all = append(all, tradeNo); strings.HasSuffix(tradeNo, "parked") {
					parked = append(parked, tradeNo)
				}
			}
			m := leases.Move{To: payout.StepParked, MaxOpen: 1000}
			if _, err := s.j.Move(context.Background(), m, parked); err != nil {
				t.Fatal(err)
			}
			before := heldBy(t, client, s.j).records
			m.To = to
			if moved, err := s.j.Move(context.Background(), m, all); err != nil || moved.N == 0 {
				t.Fatalf("%+v %v", moved, err)
			}
			after := s.places()
			for tradeNo, record := range heldBy(t, client, s.j).records {
				if record != before[tradeNo] {
					seen[s.from[tradeNo]+" → "+after[tradeNo]] = true
				}
			}
			maps.Copy(seen, s.changes())
		}
		return "park.lua", seen
	},
	// An action of a person takes payouts by name. None changes its state by that; a received one waits for a review.
	"take": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		s := onStage(t, client, []string{"due"}, asItIs)
		by := leases.ByName{States: payout.States, For: time.Minute}
		for tradeNo := range s.from {
			by.TradeNos = append(by.TradeNos, tradeNo)
		}
		b, err := s.j.LeaseByName(context.Background(), by)
		if err != nil {
			t.Fatal(err)
		}
		seen := s.changes()
		for _, named := range b.Payouts {
			if from := s.from[named.Payout.TradeNo]; named.Found == leases.NamedLeased && from == "received" {
				seen[from+" → "+from] = true
			}
		}
		return "take.lua", seen
	},
	// Nothing is carried out for somebody who doesn't have the action. What a method of Payout decides is written like
	// by apply, for who has it.
	"carry": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		token, until := NewToken(), time.Now().Add(time.Minute)
		s := onStage(t, client, []string{"mine"}, func(string, *payout.Payout) (string, time.Time) { return token, until })
		for tradeNo, from := range s.from {
			after := at(tradeNo, 3)
			after.State, after.Step = payout.StateRejected, payout.StepAnnounce
			c := leases.Change{Token: token, Epoch: s.j.epoch.id(), Before: recordsAt[from].State, After: after}
			if got, err := s.j.CarryAct(context.Background(), leases.Claim{Action: "a1", Token: "nobody", Epoch: c.Epoch}, c); err != nil || got != leases.CarriedLate {
				t.Errorf("%s: %c %v", from, got, err)
			}
		}
		return "carry.lua", s.changes()
	},
	"restore": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		s := onStage(t, client, product([]string{"F:P", "F:Q", "F:F", "F:R", "H:h", "S:s", "D:R", "D:F", "B:P", "B:F"}, []string{"fresh", "old"}, []string{"whole", "contentless", "parked"}),
			func(v string, p *payout.Payout) (string, time.Time) {
				if strings.Contains(v, "contentless") {
					p.Source.Partition = nowhere
				}
				if strings.Contains(v, "parked") && p.State == payout.StateReceived {
					p.Step = payout.StepParked
				}
				return noToken, time.Time{}
			})
		var items []epochs.Restored
		for tradeNo := range s.from {
			_, words, _ := strings.Cut(tradeNo, "/ ")
			r := was(epochs.RestoredKind(words[0]), tradeNo, payout.State(words[2]))
			if words[0] == byPerson[0] {
				r.Kind, r.By = epochs.WasEnded, "alice"
			}
			if r.Seen = time.Now(); strings.Contains(tradeNo, "old") {
				r.Seen = time.Now().Add(-2 * time.Hour)
			}
			items = append(items, r)
		}
		build(t, s.j, items...)
		return "restore.lua", s.changes()
	},
	"open": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		s := onStage(t, client, []string{"listed", "not listed"}, func(v string, p *payout.Payout) (string, time.Time) {
			if p.State == payout.StateRejected && v == "listed" {
				p.By = "alice"
			}
			return noToken, time.Time{}
		})
		for tradeNo := range s.from {
			if strings.HasSuffix(tradeNo, "/listed") {
				client.HSet(context.Background(), s.j.prefix+"undecided", tradeNo, "1")
			}
		}
		open(t, s.j, build(t, s.j))
		return "open.lua", s.changes()
	},
	"convert": func(t *testing.T, client redis.UniversalClient) (string, map[string]bool) {
		s := onStage(t, client, []string{"whole", "damaged"}, asItIs)
		ctx := context.Background()
		for tradeNo, from := range s.from {
			if _, open := recordsAt[from]; open {
				old := layout1Of(t, show(t, client, s.j, tradeNo))
				if strings.Contains(tradeNo, "damaged") {
					old = old[:len(old)-1]
				}
				if plain, by, _ := strings.Cut(from, " by "); by != "" && strings.Contains(tradeNo, "damaged") {
					s.from[tradeNo] = plain // by what can't be read
				}
				client.Set(ctx, s.j.prefix+"p:"+tradeNo, old, 0)
			}
		}
		client.Set(ctx, s.j.prefix+"p:cut", "rs---", 0)
		s.from["cut"] = "unreadable"
		id := build(t, s.j)
		if n, unread, err := s.j.Upgrade(ctx, id, func(int) {}); err != nil || n != 2*len(recordsAt)+1 || len(unread) != len(recordsAt)+1 {
			t.Fatalf("%d converted, unread %v: %v", n, unread, err)
		}
		return "convert.lua", s.changes()
	},
}

// layout1Of is the record that the version of layout 1 would have written.
func layout1Of(t *testing.T, p payout.Payout) string {
	t.Helper()
	record := encode(p)
	lines := strings.Split(record[headLen:], "\n")
	if len(lines) != 4 {
		t.Fatalf("%q", record)
	}
	if p.Absent {
		lines[3] = strings.Replace(lines[3], "{", `{"ab":true,`, 1)
	}
	return record[stateAt:accountAt] + record[partitionAt:offsetAt] + lines[0] + "\n" + lines[2] + "\n" + strings.Replace(lines[3], ",}", "}", 1)
}

// Each script that writes records, run over a payout at every place: what is seen is what
// payout.Transitions list, in both directions.
func TestScriptsMakeTheTransitionsThatAreListed(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for name, run := range transitionsOf {
			t.Run(name, func(t *testing.T) {
				origin, seen := run(t, client)
				asListed(t, origin, seen)
			})
		}
	})
}

// A script that writes records and isn't run by the test above would change states unseen.
func TestEveryScriptThatWritesARecordIsListed(t *testing.T) {
	comment := regexp.MustCompile(`--[^\n]*`)
	shared := map[string]*regexp.Regexp{"_records": regexp.MustCompile(`\b(put|begin_with|delete)\(`), "_restore": regexp.MustCompile(`\b(write|reopen)\(`)}
	command := regexp.MustCompile(`["'](?i:SET|MSET|MSETNX|SETNX|SETEX|PSETEX|GETSET|GETDEL|SETRANGE|SETBIT|APPEND|DEL|UNLINK|RENAME|RENAMENX|COPY|RESTORE)["']`)
	key := regexp.MustCompile(`["']p:|prefix`)
	files, err := sources.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"apply": true, "carry": true} // for the table, the methods and the step announce
	for _, tr := range payout.Transitions {
		if script, is := strings.CutSuffix(tr.Origin, ".lua"); is {
			listed[script] = true
		}
	}
	writes := map[string]bool{}
	for _, file := range files {
		raw, err := sources.ReadFile("lua/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		name, text := strings.TrimSuffix(file.Name(), ".lua"), comment.ReplaceAllString(string(raw), "")
		if strings.HasPrefix(name, "_") {
			if shared[name] == nil && key.MatchString(text) && command.MatchString(text) {
				t.Errorf("%s may write records: put that into a script, or into _records.lua or _restore.lua", file.Name())
			}
			continue
		}
		if !slices.Contains(Scripts, name) {
			t.Errorf("%s is no script of this package", file.Name())
		}
		if grouping[name] && shared["_records"].MatchString(text) || restoring[name] && shared["_restore"].MatchString(text) || key.MatchString(text) && command.MatchString(text) {
			writes[name] = true
		}
	}
	ran := map[string]bool{}
	for name := range transitionsOf {
		ran[name] = true
	}
	if !maps.Equal(writes, listed) || !maps.Equal(writes, ran) {
		sorted := func(m map[string]bool) string { return fmt.Sprint(slices.Sorted(maps.Keys(m))) }
		t.Errorf("these scripts write records: %s; payout.Transitions list %s; TestScriptsMakeTheTransitionsThatAreListed runs %s", sorted(writes), sorted(listed), sorted(ran))
	}
}
