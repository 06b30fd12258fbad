// Package trial promises a verdict: it publishes payout commands, watches what comes
// back, and compares every command with the simulator's own ledger. The demo and the
// end-to-end tests are built on it. It is for simulators only, never for real money.
package trial

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Payroll makes a mixed load of about n payouts for the merchants eg-main (Egypt) and br-main
// (Brazil), single and in bulks. Among them are duplicates, conflicts, malformed and invalid
// ones. The same seed makes the same lines; each is the value of one message. The prefix begins
// every tradeNo.
func Payroll(prefix string, seed uint64, n int) []string {
	g := generator{prefix: prefix, random: rand.New(rand.NewPCG(seed, seed))}
	for g.made < n {
		switch roll := g.random.IntN(100); {
		case roll < 4:
			g.bulk(5 + g.random.IntN(16))
		case roll < 6:
			g.invalid()
		case roll < 8:
			g.malformed()
		case roll < 10 && len(g.singles) > 0:
			g.add(g.singles[g.random.IntN(len(g.singles))]) // a duplicate, word for word
		case roll < 11 && len(g.singles) > 0:
			g.conflict()
		default:
			g.single()
		}
	}
	return g.lines
}

// Batch makes one batch of n good payouts for the same merchants, one a line. Its tradeNos begin with its id.
func Batch(id string, seed uint64, n int) []string {
	g := generator{prefix: id + "-", random: rand.New(rand.NewPCG(seed, seed))}
	for range n {
		m := g.merchant()
		o := g.payout(m)
		o["merchant"], o["batchId"], o["batchSize"] = m, id, n
		g.add(text(o))
	}
	return g.lines
}

// Mistakes makes two commands of a sender that does it wrong. One has the tradeNo of a line of Batch and another amount, the other one
// is the beginning of that line. Both become dead letters.
func Mistakes(line string) []string { return []string{otherwise(line), line[:len(line)/2]} }

type generator struct {
	prefix  string
	random  *rand.Rand
	lines   []string
	singles []string // valid single payouts, to be repeated
	clashed int
	made    int
}

func (g *generator) add(line string) { g.lines = append(g.lines, line) }

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("trial: encode a sample: " + err.Error())
	}
	return string(b)
}

type object = map[string]any

// payout makes a valid payout of one of the two merchants.
func (g *generator) payout(merchant string) object {
	g.made++
	o := object{"tradeNo": fmt.Sprintf("%s%08d", g.prefix, g.made), "remark": "salary 2026-11"}
	if merchant == "eg-main" {
		o["amount"] = fmt.Sprint(100 + g.random.IntN(9000))
		o["payee"] = object{"customerName": g.name(), "walletId": fmt.Sprintf("01%09d", g.random.IntN(1_000_000_000))}
		return o
	}
	o["amount"] = fmt.Sprintf("%d.%02d", 1+g.random.IntN(5000), g.random.IntN(100))
	document := fmt.Sprintf("%011d", g.random.Int64N(100_000_000_000))
	o["payee"] = object{
		"name": g.name(), "email": fmt.Sprintf("worker%d@example.com", g.made), "mobile": fmt.Sprintf("119%08d", g.random.IntN(100_000_000)),
		"bankType": "CPF", "bankNumber": document, "identityType": "CPF", "userIdentity": document,
	}
	return o
}

func (g *generator) name() string {
	first := []string{"Amina", "Karim", "Nour", "João", "Beatriz", "Otávio", "Salma", "Hassan", "Lúcia", "Rafael"}
	last := []string{"Farouk", "Silva", "Hassan", "Souza", "Mansour", "Costa", "Nabil", "Araújo"}
	return first[g.random.IntN(len(first))] + " " + last[g.random.IntN(len(last))]
}

func (g *generator) merchant() string {
	if g.random.IntN(5) < 3 {
		return "eg-main"
	}
	return "br-main"
}

func (g *generator) single() {
	m := g.merchant()
	o := g.payout(m)
	o["merchant"] = m
	line := text(o)
	g.singles = append(g.singles, line)
	g.add(line)
}

func (g *generator) bulk(n int) {
	m := g.merchant()
	payouts := make([]object, n)
	for i := range payouts {
		payouts[i] = g.payout(m)
		delete(payouts[i], "remark")
	}
	if g.random.IntN(3) == 0 { // one bad element must not take the others along
		delete(payouts[n-1], "tradeNo")
		g.made--
	}
	g.add(text(object{
		"batchId": fmt.Sprintf("%sbatch-%d", g.prefix, g.made), "batchSize": n, "merchant": m, "remark": "salary 2026-11", "payouts": payouts,
	}))
}

// conflict repeats a payout with another amount. Each is repeated at most once, so that the
// number of dead letters doesn't depend on the order of arrival.
func (g *generator) conflict() {
	if g.clashed >= len(g.singles) {
		return
	}
	g.add(otherwise(g.singles[g.clashed]))
	g.clashed++
}

// otherwise is a payout's line with another amount.
func otherwise(line string) string {
	var o object
	_ = json.Unmarshal([]byte(line), &o) // our own text
	o["amount"] = "199"
	return text(o)
}

func (g *generator) invalid() {
	m := g.merchant()
	o := g.payout(m)
	o["merchant"] = m
	switch g.random.IntN(6) {
	case 0:
		o["amount"] = "-5"
	case 1:
		o["payee"] = object{"customerName": "Nobody"}
	case 2:
		o["merchant"] = "mars-main"
	case 3:
		o["currency"] = "XXX"
	case 4:
		o["expiresAt"] = "2020-01-01T00:00:00Z"
	default:
		o["notBefore"] = "tomorrow"
	}
	g.add(text(o))
}

func (g *generator) malformed() {
	g.add([]string{
		"", "{", "not json at all", `["a list"]`, `{"hello": "world"}`, `{"tradeNo": "spaces are not allowed", "amount": "300"}`,
		`{"tradeNo": "` + g.prefix + `twice", "amount": "100", "amount": "900"}`, `{"payouts": "none"}`, strings.Repeat("x", 40),
	}[g.random.IntN(9)])
}
