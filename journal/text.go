package journal

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The two JSON texts of a record are written and read field by field. Each payout is read
// twice and written three times in its life. By reflection that took a sixth of the process'
// CPU. What these readers don't expect, such as an escaped letter or a field of another
// version, encoding/json reads.

// pen writes the fields of one object; empty ones are left out.
type pen struct{ text []byte }

func (p *pen) name(name string) {
	if len(p.text) > 0 {
		p.text = append(p.text, ',')
	}
	p.text = append(append(append(p.text, '"'), name...), '"', ':')
}

func (p *pen) number(name string, n int64) {
	if n != 0 {
		p.name(name)
		p.text = strconv.AppendInt(p.text, n, 10)
	}
}

func (p *pen) flag(name string, is bool) {
	if is {
		p.name(name)
		p.text = append(p.text, "true"...)
	}
}

func (p *pen) word(name, word string) {
	if word != "" {
		p.name(name)
		p.text = quoted(p.text, word)
	}
}

func (p *pen) words(name string, all map[string]string) {
	if len(all) == 0 {
		return
	}
	p.name(name)
	p.text = append(p.text, '{')
	for i, key := range slices.Sorted(maps.Keys(all)) { // the same payout, the same text
		if i > 0 {
			p.text = append(p.text, ',')
		}
		p.text = append(quoted(p.text, key), ':')
		p.text = quoted(p.text, all[key])
	}
	p.text = append(p.text, '}')
}

// verbatim writes fields as they were read.
func (p *pen) verbatim(fields string) {
	if fields != "" && len(p.text) > 0 {
		p.text = append(p.text, ',')
	}
	p.text = append(p.text, fields...)
}

func (p *pen) object() string { return "{" + string(p.text) + "}" }

// quoted appends a JSON text.
func quoted(to []byte, word string) []byte {
	for i := range len(word) {
		if c := word[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b, _ := json.Marshal(word) // a text always can be
			return append(to, b...)
		}
	}
	return append(append(append(to, '"'), word...), '"')
}

func (c content) text() string {
	p := pen{make([]byte, 0, 256)}
	p.word("m", c.Merchant)
	p.word("c", c.Country)
	p.word("a", c.Amount)
	p.word("cu", c.Currency)
	p.words("p", c.Payee)
	p.word("r", c.Remark)
	p.number("bs", int64(c.BatchSize))
	p.number("nb", c.NotBefore)
	p.word("tp", c.Parent)
	p.word("ts", c.State)
	p.number("rx", c.Received)
	return p.object()
}

func (g progress) text() string {
	p := pen{make([]byte, 0, 192)}
	p.number("fs", g.FirstSent)
	p.number("ls", int64(g.LastSend))
	p.flag("an", g.Answered)
	p.flag("al", g.AnswerLost)
	p.number("dp", int64(g.Disproved))
	p.number("rf", int64(g.Refusals))
	p.flag("uh", g.Unacknowledged)
	p.number("k", int64(g.Asks))
	p.number("kr", int64(g.AskRound))
	p.number("n", int64(g.NoRecords))
	p.number("nt", g.NoRecord)
	p.word("na", g.NoRecordOf)
	p.number("pt", g.Partial)
	p.number("pe", g.Pending)
	p.word("u", g.Unknown)
	p.flag("sh", g.Shown)
	p.flag("fo", g.Forgotten)
	p.word("s", g.Status)
	p.word("st", g.Text)
	p.word("pl", g.Platform)
	p.word("pa", g.Paid)
	p.word("su", g.Success)
	p.word("y", g.Reason)
	p.word("cn", g.Against)
	p.number("h", g.Held)
	p.number("se", g.Settled)
	p.word("by", g.By)
	p.word("cb", g.ConfirmedBy)
	p.word("ac", g.Action)
	p.number("fd", int64(g.Found))
	p.verbatim(g.rest)
	return p.object()
}

// glance reads what pen writes; anything else makes it odd, and then nothing that it has
// read counts.
type glance struct {
	text string
	odd  bool
}

// take moves over a letter that must stand next.
func (g *glance) take(c byte) {
	if g.text == "" || g.text[0] != c {
		g.odd = true
		return
	}
	g.text = g.text[1:]
}

// word reads a text of UTF-8 without escapes.
func (g *glance) word() string {
	g.take('"')
	end := strings.IndexByte(g.text, '"')
	if g.odd || end < 0 || strings.IndexByte(g.text[:end], '\\') >= 0 {
		g.odd = true
		return ""
	}
	word := g.text[:end]
	g.text = g.text[end+1:]
	g.odd = g.odd || !utf8.ValidString(word) // encoding/json would read it as another word
	return word
}

func (g *glance) number() int64 {
	end := 0
	for end < len(g.text) && (g.text[end] >= '0' && g.text[end] <= '9' || g.text[end] == '-') {
		end++
	}
	n, err := strconv.ParseInt(g.text[:end], 10, 64)
	g.odd = g.odd || err != nil
	g.text = g.text[end:]
	return n
}

func (g *glance) whole() int { return int(g.number()) }

// kind reads the number of a kind of finding.
func (g *glance) kind() uint8 {
	kind := g.number()
	g.odd = g.odd || kind < 0 || kind > 255
	return uint8(kind)
}

func (g *glance) flag() bool {
	rest, is := strings.CutPrefix(g.text, "true")
	g.odd = g.odd || !is
	g.text = rest
	return is
}

// object calls field for each name, which reads its value.
func (g *glance) object(field func(name string)) {
	g.take('{')
	if strings.HasPrefix(g.text, "}") {
		g.take('}')
		return
	}
	for !g.odd {
		name := g.word()
		if g.take(':'); g.odd {
			return
		}
		field(name)
		if strings.HasPrefix(g.text, "}") {
			g.take('}')
			return
		}
		g.take(',')
	}
}

// all reads a whole text and tells whether it was as expected.
func (g *glance) all(field func(name string)) bool {
	g.object(field)
	return !g.odd && g.text == ""
}

func (c *content) read(text string) error {
	g := glance{text: text}
	if g.all(func(name string) {
		switch name {
		case "m":
			c.Merchant = g.word()
		case "c":
			c.Country = g.word()
		case "a":
			c.Amount = g.word()
		case "cu":
			c.Currency = g.word()
		case "p":
			c.Payee = map[string]string{}
			g.object(func(name string) { c.Payee[name] = g.word() })
		case "r":
			c.Remark = g.word()
		case "bs":
			c.BatchSize = g.whole()
		case "nb":
			c.NotBefore = g.number()
		case "tp":
			c.Parent = g.word()
		case "ts":
			c.State = g.word()
		case "rx":
			c.Received = g.number()
		default:
			g.odd = true
		}
	}) {
		return nil
	}
	*c = content{}
	return json.Unmarshal([]byte(text), c)
}

func (g *progress) read(text string) error {
	r := glance{text: text}
	if r.all(func(name string) {
		switch name {
		case "fs":
			g.FirstSent = r.number()
		case "ls":
			g.LastSend = r.kind()
		case "an":
			g.Answered = r.flag()
		case "al":
			g.AnswerLost = r.flag()
		case "dp":
			g.Disproved = r.whole()
		case "rf":
			g.Refusals = r.whole()
		case "uh":
			g.Unacknowledged = r.flag()
		case "k":
			g.Asks = r.whole()
		case "kr":
			g.AskRound = r.whole()
		case "n":
			g.NoRecords = r.whole()
		case "nt":
			g.NoRecord = r.number()
		case "na":
			g.NoRecordOf = r.word()
		case "pt":
			g.Partial = r.number()
		case "pe":
			g.Pending = r.number()
		case "u":
			g.Unknown = r.word()
		case "sh":
			g.Shown = r.flag()
		case "fo":
			g.Forgotten = r.flag()
		case "s":
			g.Status = r.word()
		case "st":
			g.Text = r.word()
		case "pl":
			g.Platform = r.word()
		case "pa":
			g.Paid = r.word()
		case "su":
			g.Success = r.word()
		case "y":
			g.Reason = r.word()
		case "cn":
			g.Against = r.word()
		case "h":
			g.Held = r.number()
		case "se":
			g.Settled = r.number()
		case "by":
			g.By = r.word()
		case "cb":
			g.ConfirmedBy = r.word()
		case "ac":
			g.Action = r.word()
		case "fd":
			g.Found = r.kind()
		default:
			r.odd = true
		}
	}) {
		return nil
	}
	*g = progress{}
	if err := json.Unmarshal([]byte(text), g); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return err
	}
	g.rest = unknown(all, progressNames)
	return nil
}

// progressNames are the fields that this version knows.
var progressNames = namesOf(reflect.TypeFor[progress]())

func namesOf(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
	}
	return names
}

// unknown are the other fields of an object, to be written back as they are. A name that
// encoding/json takes for a known one is known.
func unknown(all map[string]json.RawMessage, known map[string]bool) string {
	var p pen
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if known[strings.ToLower(name)] {
			continue
		}
		if len(p.text) > 0 {
			p.text = append(p.text, ',')
		}
		p.text = append(append(quoted(p.text, name), ':'), all[name]...)
	}
	return string(p.text)
}
