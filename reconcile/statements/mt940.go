package statements

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"

	"disburser/reconcile"
)

// longestLine bounds a line of MT940, in bytes. The standard has 65 characters.
const longestLine = 4 << 10

// mostDetails bounds the lines of a field :86:. The standard has six.
const mostDetails = 100

// MT940 reads a statement in SWIFT MT940. The tradeNo is the end-to-end reference of field :86: (EREF), or else
// the customer's reference of field :61:. The currency is that of the opening balance.
func MT940(in io.Reader) iter.Seq2[reconcile.Line, error] {
	return func(yield func(reconcile.Line, error) bool) {
		m := mt940{yield: yield}
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 1024), longestLine)
		err := error(nil)
		for err == nil && lines.Scan() {
			m.number++
			err = m.line(strings.TrimRight(lines.Text(), "\r"))
		}
		if errors.Is(lines.Err(), bufio.ErrTooLong) {
			m.number++
			err = fmt.Errorf("it has more than %d bytes: this is no MT940", longestLine)
		} else if err == nil {
			err = lines.Err()
		}
		if err == nil {
			err = m.tell()
		}
		if err == nil && !m.opened {
			err = errors.New("it has no opening balance (:60F:)")
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(reconcile.Line{}, errAt(m.number, "MT940: %w", err))
		}
	}
}

type mt940 struct {
	yield    func(reconcile.Line, error) bool
	number   int // of the line
	opened   bool
	currency string
	field    string // the tag that a line without one goes on with
	pending  *movement
}

// movement is a field :61: with its :86:.
type movement struct {
	line      reconcile.Line
	counts    bool
	reference string
	details   []string
}

var (
	tag     = regexp.MustCompile(`^:([0-9]{2}[A-Z]?):(.*)$`)
	balance = regexp.MustCompile(`^[CD][0-9]{6}([A-Z]{3})[0-9]+,[0-9]*$`)
	// Date, booking date, mark, third letter of the currency, amount, type, reference, the bank's reference.
	posting = regexp.MustCompile(`^[0-9]{6}(?:[0-9]{4})?(R?[CD])[A-Z]?([0-9]+,[0-9]*)[A-Z][A-Z0-9]{3}([^/]*(?:/[^/]+)*)(?://.*)?$`)
)

func (m *mt940) line(text string) error {
	found := tag.FindStringSubmatch(text)
	if found == nil {
		if m.field == "86" && m.pending != nil && len(m.pending.details) < mostDetails && text != "-" && !strings.HasPrefix(text, "-}") {
			m.pending.details = append(m.pending.details, text)
		}
		return nil
	}
	m.field = found[1]
	switch m.field {
	case "60F", "60M":
		b := balance.FindStringSubmatch(found[2])
		if b == nil {
			return errors.New("the opening balance can't be read")
		}
		m.opened, m.currency = true, b[1]
		return m.tell()
	case "61":
		if err := m.tell(); err != nil {
			return err
		}
		return m.posting(found[2])
	case "86":
		if m.pending != nil && m.pending.details == nil {
			m.pending.details = []string{found[2]}
		}
		return nil
	}
	return m.tell() // the next field: nothing more belongs to the posting
}

// posting reads a field :61:.
func (m *mt940) posting(text string) error {
	p := posting.FindStringSubmatch(text)
	if p == nil {
		return errors.New("a posting (:61:) can't be read")
	}
	if !m.opened {
		return errors.New("a posting (:61:) stands before the opening balance (:60F:)")
	}
	a, err := amountOf(p[2], ",")
	if err != nil {
		return fmt.Errorf("the amount of a posting %w", err)
	}
	out, reversal := p[1] == "D" || p[1] == "RC", strings.HasPrefix(p[1], "R")
	next := movement{reference: p[3]}
	next.line, next.counts = one("", a, m.currency, out, reversal)
	m.pending = &next
	return nil
}

// tell hands out the posting that is complete now.
func (m *mt940) tell() error {
	p := m.pending
	if m.pending = nil; p == nil || !p.counts {
		return nil
	}
	p.line.TradeNo = tradeNoOf(endToEnd(p.details))
	if p.line.TradeNo == "" && p.reference != "NONREF" && p.reference != "NOTPROVIDED" {
		p.line.TradeNo = tradeNoOf(p.reference)
	}
	if !m.yield(p.line, nil) {
		return errEnough
	}
	return nil
}

var (
	subfield = regexp.MustCompile(`\?[0-9]{2}`)
	eref     = regexp.MustCompile(`EREF\+(.*?)(?:[A-Z]{4}\+|$)`)
	slashed  = regexp.MustCompile(`/(?:EREF|ROC)/([^/]*)`)
)

// endToEnd finds the end-to-end reference in the lines of a field :86:, "" if there is none. Banks break lines
// and subfields (?20) at any character.
func endToEnd(details []string) string {
	all := strings.Join(details, "")
	if found := slashed.FindStringSubmatch(all); found != nil {
		return found[1]
	}
	if found := eref.FindStringSubmatch(subfield.ReplaceAllString(all, "")); found != nil {
		return found[1]
	}
	return ""
}
