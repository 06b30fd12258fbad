package journal

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// Numbers of the layout.
const (
	// chunk is how many payouts go into one call of a script: 8 arguments each stay far
	// below 8,000 (at 9,000 Lua's unpack breaks), a call stays in the milliseconds, and
	// its data in the processor's cache: per payout, 500 cost an eighth more than 200.
	chunk = 200

	// buckets of one generation of the memory. 8,192 hashes hold a million finals at
	// 122 each, well within what Redis keeps as a listpack (512), and ten million at
	// little more.
	buckets = 8192
)

//go:embed lua/*.lua
var sources embed.FS

// Options say which journal.
type Options struct {
	Namespace string
	Shard     int
	Window    time.Duration // dedup_window: how long a final is remembered at least

	// Observe is told how long each script took, its round trip included. May be nil.
	Observe func(script string, took time.Duration)
}

// Journal is one shard of the memory. It is safe for concurrent use.
type Journal struct {
	client  redis.UniversalClient
	prefix  string
	window  time.Duration
	observe func(string, time.Duration)
	scripts map[string]*redis.Script
	epoch   epochHolder
	clock   clock
}

// New makes a journal on a client whose retries may be on: every script is idempotent
// for its caller. Nothing is sent before the first call.
func New(client redis.UniversalClient, o Options) *Journal {
	j := &Journal{
		client: client, prefix: fmt.Sprintf("%s:{%d}:", o.Namespace, o.Shard), window: o.Window,
		observe: o.Observe, scripts: map[string]*redis.Script{},
	}
	if j.observe == nil {
		j.observe = func(string, time.Duration) {}
	}
	for _, name := range Scripts {
		j.scripts[name] = redis.NewScript(source(name))
	}
	return j
}

// Scripts are the names of the journal's scripts, for metrics that show zeros.
var Scripts = []string{"insert", "lease", "apply", "resolve", "marks", "position", "anchor", "due", "counts", "linger", "watermark", "epoch", "build", "open", "restore", "unsent", "plan", "share", "scan", "convert", "accounts", "clock"}

// unbelieving are the scripts that begin or look at epochs: they can't be asked to
// believe in one.
var unbelieving = map[string]bool{"epoch": true, "build": true, "open": true, "restore": true, "unsent": true, "plan": true, "share": true, "scan": true, "convert": true, "clock": true}

// remembering are the scripts that use the memory of finals.
var remembering = map[string]bool{"insert": true, "apply": true, "restore": true, "convert": true}

// batching are the scripts that work on many payouts at once.
var batching = map[string]bool{"insert": true, "lease": true, "apply": true, "resolve": true}

// source joins a script with what it begins with.
func source(name string) string {
	files := []string{"_layout"}
	if !unbelieving[name] {
		files = append(files, "_believe")
	}
	if remembering[name] {
		files = append(files, "_memory")
	}
	if batching[name] {
		files = append(files, "_batch")
	}
	files = append(files, name)
	var s strings.Builder
	for _, file := range files {
		text, err := sources.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic("journal: the scripts are not embedded: " + err.Error())
		}
		s.Write(text)
	}
	return s.String()
}

// run calls a script and turns Redis' refusals into the package's errors.
func (j *Journal) run(ctx context.Context, name string, args ...any) ([]any, error) {
	return j.runAs(ctx, name, append([]any{j.epoch.id()}, args...))
}

// runAs names two keys that never exist. While a cluster moves the slot, both of its
// servers refuse a script that names several missing keys, and half of a journal is worse
// than none. With a single one the receiving server would run it, on what has arrived.
func (j *Journal) runAs(ctx context.Context, name string, args []any) ([]any, error) {
	began := time.Now()
	result, err := j.scripts[name].Run(ctx, j.client, []string{j.prefix, j.prefix + "moving"}, args...).Result()
	j.observe(name, time.Since(began))
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, refusal(err))
	}
	if list, ok := result.([]any); ok {
		return list, nil
	}
	return []any{result}, nil
}

func refusal(err error) error {
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "EPOCH"):
		_, why, _ := strings.Cut(text, " ")
		return fmt.Errorf("%w: %s", epochs.ErrOver, why)
	case strings.HasPrefix(text, "LAYOUT"):
		_, what, _ := strings.Cut(text, " ")
		return fmt.Errorf("%w: %s", epochs.ErrNewerLayout, what)
	case strings.HasPrefix(text, "POSITION"):
		return fmt.Errorf("%w: %s", intake.ErrPosition, text)
	case strings.HasPrefix(text, "OOM"):
		return fmt.Errorf("%w: %s", intake.ErrFull, text)
	}
	return err
}

// Insert makes the payouts of a range known, each at most once, and moves the read
// position to the range's end together with the last of them. It answers an outcome
// for each entry and the number of open payouts.
//
// Where some are Conflicted the position stays: the caller puts these into the dead
// letters first, and then calls again without them.
//
// After an error some entries may be known already; repeating the call is safe.
func (j *Journal) Insert(ctx context.Context, r intake.Range, entries []intake.Entry) ([]intake.Outcome, int, error) {
	outcomes := make([]intake.Outcome, 0, len(entries))
	epoch := j.epoch.id() // of all chunks: between two of them the journal may have been lost
	for {
		part := entries[:min(chunk, len(entries))]
		entries = entries[len(part):]
		end := ""
		if len(entries) == 0 && !slices.Contains(outcomes, intake.Conflicted) {
			end = strconv.FormatInt(r.To, 10)
		}
		args := make([]any, 0, 6+7*len(part))
		args = append(args, epoch, j.window.Milliseconds(), r.Partition, r.From, end, r.Anchor)
		for _, e := range part {
			args = append(args, e.Payout.TradeNo, carried(e), millis(e.Payout.Source.Time), due(e.Payout), bucket(e.Payout.TradeNo),
				e.Payout.Source.Offset, encode(e.Payout))
		}
		answer, err := j.runAs(ctx, "insert", args)
		if err != nil {
			return nil, 0, err
		}
		j.clock.heard(instant(answer, 2))
		letters, total := word(answer, 0), number(answer, 1)
		if len(letters) != len(part) {
			return nil, 0, fmt.Errorf("journal: insert: %d outcomes for %d payouts", len(letters), len(part))
		}
		outcomes = append(outcomes, []intake.Outcome(letters)...)
		if len(entries) == 0 {
			return outcomes, int(total), nil
		}
	}
}

// due is when there is something to do for a new payout; "" where that is at once, by
// Redis' clock.
func due(p payout.Payout) any {
	if p.Due.Equal(p.ReceivedAt) {
		return ""
	}
	return millis(p.Due)
}

// carried is the letter of a carried payout's state, "" for a payroll's own.
func carried(e intake.Entry) string {
	if e.Carried == 0 {
		return ""
	}
	return string(e.Carried)
}

// NewToken makes a token for one lease: 72 random bits.
func NewToken() string {
	var raw [9]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Lease hands out payouts that are due for a step. For a send they are sending from here
// on, and what was sent to another account before is left to the step expire. After a lost
// reply the call is repeated under the same token, which answers the same batch, until ctx
// ends. A record that can't be read is left out and
// reported in the error beside the batch; its lease runs out.
func (j *Journal) Lease(ctx context.Context, r leases.Request) (leases.Leased, error) {
	b := leases.Leased{Lease: leases.Lease{Token: NewToken(), Epoch: j.epoch.id(), Asked: time.Now()}}
	args := []any{b.Epoch, string(r.Step), r.Merchant, b.Token, r.N, r.For.Milliseconds(), account(r.Account)}
	answer, err := j.runAs(ctx, "lease", args)
	for err != nil && !errors.Is(err, epochs.ErrOver) && pause(ctx) {
		b.Asked = time.Now()
		answer, err = j.runAs(ctx, "lease", args)
	}
	if err != nil {
		return leases.Leased{}, err
	}
	b.Took = time.Since(b.Asked)
	b.LeasedAt, b.Until = instant(answer, 0), instant(answer, 1)
	b.Evidence = leases.Evidence{ServedAt: instant(answer, 2), About: word(answer, 3), Settled: word(answer, 4)}
	var broken error
	b.Payouts = make([]payout.Payout, 0, max(0, len(answer)-5)/3)
	for tradeNo, record := range handed(answer) {
		p, err := decode(tradeNo, record)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		b.Payouts = append(b.Payouts, p)
	}
	return b, broken
}

// handed are the tradeNos and records of a lease's answer, as they stand in the journal
// now: the script answers apart what it wrote over a record's beginning.
func handed(answer []any) iter.Seq2[string, string] {
	return func(yield func(tradeNo, record string) bool) {
		for i := 5; i+2 < len(answer); i += 3 {
			head, record := word(answer, i+1), word(answer, i+2)
			if len(head) < len(record) {
				record = head + record[len(head):]
			}
			if !yield(word(answer, i), record) {
				return
			}
		}
	}
}

// Apply writes changes of one epoch, each only if its lease still holds. It answers for
// each whether it was written; false means that somebody else has taken over, and that
// the caller must forget what it knows.
func (j *Journal) Apply(ctx context.Context, changes []leases.Change, served []leases.Served) ([]bool, error) {
	written := make([]bool, 0, len(changes))
	epoch := j.epoch.id()
	if len(changes) > 0 {
		epoch = changes[0].Epoch
	}
	for {
		part := changes[:min(chunk, len(changes))]
		changes = changes[len(part):]
		args := make([]any, 0, 3+5*len(served)+6*len(part))
		args = append(args, epoch, j.window.Milliseconds(), len(served))
		for _, s := range served {
			settled := ""
			if s.Settled {
				settled = s.About
			}
			args = append(args, s.Merchant, account(s.Account), fmt.Sprintf("%013d", millis(s.At)), s.About, settled)
		}
		for _, c := range part {
			args = arguments(args, c)
		}
		answer, err := j.runAs(ctx, "apply", args)
		if err != nil {
			return nil, err
		}
		for _, letter := range []byte(word(answer, 0)) {
			written = append(written, letter == 'a')
		}
		if served = nil; len(changes) == 0 {
			return written, nil
		}
	}
}

func arguments(to []any, c leases.Change) []any {
	p := c.After
	if c.Forget {
		return append(to, p.TradeNo, c.Token, string(c.Before), bucket(p.TradeNo), "", string(p.State)+string(p.Fingerprint))
	}
	due := p.Due
	if !c.Until.IsZero() { // the lease goes on: nobody else is to find it before that
		due = c.Until
	}
	return append(to, p.TradeNo, c.Token, string(c.Before), millis(due), head(p, c.Token, c.Until), progressOf(p).text())
}

// Marks answers the marks of partitions, each pair read at one moment.
func (j *Journal) Marks(ctx context.Context, partitions []int) (map[int]intake.Mark, error) {
	args := make([]any, len(partitions))
	for i, p := range partitions {
		args[i] = p
	}
	answer, err := j.run(ctx, "marks", args...)
	if err != nil {
		return nil, err
	}
	marks := make(map[int]intake.Mark, len(partitions))
	for i, p := range partitions {
		marks[p] = intake.Mark{Position: number(answer, 2*i), Safe: number(answer, 2*i+1)}
	}
	return marks, nil
}

// Lingering answers up to n payouts of each merchant whose commands stand at the
// smallest offsets of a partition and aren't final.
func (j *Journal) Lingering(ctx context.Context, partition, n int) ([]payout.Payout, error) {
	answer, err := j.run(ctx, "linger", partition, n)
	if err != nil {
		return nil, err
	}
	var payouts []payout.Payout
	for i := 0; i+1 < len(answer); i += 2 {
		p, err := decode(word(answer, i), word(answer, i+1))
		if err == nil && !p.State.Final() { // Lease reports what can't be read
			payouts = append(payouts, p)
		}
	}
	return payouts, nil
}

// Position answers where to read a partition and sets it to offset where there is no
// position yet, or, with forward, where the position lies before offset.
func (j *Journal) Position(ctx context.Context, partition int, offset int64, forward bool) (int64, error) {
	flag := ""
	if forward {
		flag = "1"
	}
	answer, err := j.run(ctx, "position", partition, offset, flag)
	if err != nil {
		return 0, err
	}
	return number(answer, 0), nil
}

// Due answers what there is to do for the given merchants.
func (j *Journal) Due(ctx context.Context, merchants []string) (leases.Agenda, error) {
	args := make([]any, len(merchants))
	for i, m := range merchants {
		args[i] = m
	}
	answer, err := j.run(ctx, "due", args...)
	if err != nil {
		return leases.Agenda{}, err
	}
	work := func(i int) leases.Work {
		return leases.Work{Due: int(number(answer, 1+2*i)), Next: instant(answer, 2+2*i)}
	}
	a := leases.Agenda{Now: instant(answer, 0), Send: map[string]leases.Work{}, Ask: map[string]leases.Work{}}
	for i, m := range merchants {
		a.Send[m], a.Ask[m] = work(2*i), work(2*i+1)
	}
	a.Announce, a.Expire = work(2*len(merchants)), work(2*len(merchants)+1)
	return a, nil
}

// Census counts the open payouts.
type Census struct {
	Open   int
	States map[string]map[payout.State]int // by merchant ("" for those not configured)
	Oldest map[string]time.Time            // by merchant: when the oldest open payout was received

	OldestIn map[int]time.Time // by partition: when the command that holds the safe mark back was written, by Kafka
}

func newCensus() Census {
	return Census{States: map[string]map[payout.State]int{}, Oldest: map[string]time.Time{}, OldestIn: map[int]time.Time{}}
}

// add counts another shard's census too.
func (c *Census) add(o Census) {
	c.Open += o.Open
	for merchant, states := range o.States {
		for state, n := range states {
			c.count(merchant, state, n)
		}
	}
	for merchant, at := range o.Oldest {
		earliest(c.Oldest, merchant, at)
	}
	for partition, at := range o.OldestIn {
		earliest(c.OldestIn, partition, at)
	}
}

func (c *Census) count(merchant string, state payout.State, n int) {
	if c.States[merchant] == nil {
		c.States[merchant] = map[payout.State]int{}
	}
	c.States[merchant][state] += n
}

func earliest[K comparable](of map[K]time.Time, key K, at time.Time) {
	if old := of[key]; old.IsZero() || at.Before(old) {
		of[key] = at
	}
}

// Count answers the census; the oldest ones are looked for in the given partitions.
func (j *Journal) Count(ctx context.Context, partitions []int) (Census, error) {
	args := make([]any, len(partitions))
	for i, p := range partitions {
		args[i] = p
	}
	answer, err := j.run(ctx, "counts", args...)
	if err != nil {
		return Census{}, err
	}
	c := newCensus()
	c.Open = int(number(answer, 0))
	counts, _ := answer[1].([]any)
	for i := 0; i+1 < len(counts); i += 2 {
		merchant, state, _ := strings.Cut(word(counts, i), "\n")
		if state == "" {
			continue
		}
		c.count(merchant, payout.State(state[0]), int(number(counts, i+1)))
	}
	records, _ := answer[2].([]any)
	for i := 0; i+1 < len(records); i += 2 {
		p, err := decode(word(records, i), word(records, i+1))
		if err != nil {
			continue // Lease reports it
		}
		earliest(c.Oldest, lane(p), p.ReceivedAt)
		earliest(c.OldestIn, p.Source.Partition, p.Source.Time)
	}
	return c, nil
}

// bucket spreads tradeNos over the small hashes of the memory.
func bucket(tradeNo string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tradeNo))
	return int(h.Sum32() % buckets)
}

// Readers of a script's answer: numbers come as integers or as text, by script.

func word(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	switch v := answer[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func number(answer []any, i int) int64 {
	n, _ := strconv.ParseFloat(word(answer, i), 64)
	return int64(n)
}

func instant(answer []any, i int) time.Time { return moment(number(answer, i)) }

// leaseAgain is the pause before a lease is asked for again under its token.
const leaseAgain = 100 * time.Millisecond

// pause waits for it and tells whether ctx let it.
func pause(ctx context.Context) bool {
	t := time.NewTimer(leaseAgain)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
