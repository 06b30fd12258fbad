package statements

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"disburser/payout/money"
	"disburser/reconcile"
)

// Camt053 reads a statement in ISO 20022 camt.053, of any version. The tradeNo is the reference EndToEndId, or
// else InstrId. An entry for several transactions gives a line for each. Entries that are not booked yet
// count as pending.
func Camt053(in io.Reader) iter.Seq2[reconcile.Line, error] {
	return func(yield func(reconcile.Line, error) bool) {
		c := camt{xml: xml.NewDecoder(in), yield: yield}
		err := c.document()
		if err != nil && !errors.Is(err, errEnough) {
			line, _ := c.xml.InputPos()
			yield(reconcile.Line{}, errAt(line, "camt.053: %w", err))
		}
	}
}

// errEnough tells that nobody wants more lines.
var errEnough = errors.New("enough")

type camt struct {
	xml   *xml.Decoder
	yield func(reconcile.Line, error) bool
	entry camtEntry
}

// camtEntry is what an entry says before its transactions.
type camtEntry struct {
	amount   camtAmount
	mark     string // DBIT or CRDT
	reversal bool
	status   string
	told     int // transactions that were told
}

type camtAmount struct {
	Currency string `xml:"Ccy,attr"`
	Text     string `xml:",chardata"`
}

// camtTransaction is what is read of a transaction (TxDtls).
type camtTransaction struct {
	EndToEndID string     `xml:"Refs>EndToEndId"`
	InstrID    string     `xml:"Refs>InstrId"`
	Amount     camtAmount `xml:"Amt"`
	Older      camtAmount `xml:"AmtDtls>TxAmt>Amt"` // versions before 4
	Mark       string     `xml:"CdtDbtInd"`
	Return     *struct{}  `xml:"RtrInf"`
}

// document walks through the elements. No more than one transaction is in memory.
func (c *camt) document() error {
	statement := false
	for {
		token, err := c.xml.Token()
		if errors.Is(err, io.EOF) {
			if !statement {
				return errors.New("it has no statement (BkToCstmrStmt)")
			}
			return nil
		}
		if err != nil {
			return syntax(err)
		}
		start, is := token.(xml.StartElement)
		if !is {
			continue
		}
		switch start.Name.Local {
		case "BkToCstmrStmt":
			statement = true
		case "Ntry":
			if err := c.walkEntry(); err != nil {
				return err
			}
		}
	}
}

// syntax hides what stands in the file.
func syntax(err error) error {
	if e, is := errors.AsType[*xml.SyntaxError](err); is {
		return fmt.Errorf("it is no XML at line %d", e.Line)
	}
	return err
}

// walkEntry reads one entry (Ntry).
func (c *camt) walkEntry() error {
	c.entry = camtEntry{}
	for depth := 1; depth > 0; {
		token, err := c.xml.Token()
		if err != nil {
			return syntax(err)
		}
		switch t := token.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			taken, err := c.element(t, depth)
			if err != nil {
				return err
			}
			if !taken {
				depth++
			}
		}
	}
	if c.entry.told > 0 {
		return nil
	}
	return c.tell(camtTransaction{})
}

// element takes a whole element of an entry, or leaves it to be walked through.
func (c *camt) element(start xml.StartElement, depth int) (taken bool, err error) {
	name := start.Name.Local
	switch {
	case name == "TxDtls":
		var t camtTransaction
		if err := c.xml.DecodeElement(&t, &start); err != nil {
			return true, syntax(err)
		}
		return true, c.tell(t)
	case depth > 1:
		return false, nil
	case name == "Amt":
		return true, syntax(c.xml.DecodeElement(&c.entry.amount, &start))
	case name == "CdtDbtInd":
		return true, syntax(c.xml.DecodeElement(&c.entry.mark, &start))
	case name == "RvslInd":
		var text string
		err := c.xml.DecodeElement(&text, &start)
		c.entry.reversal = strings.TrimSpace(text) == "true" || strings.TrimSpace(text) == "1"
		return true, syntax(err)
	case name == "Sts": // a text, or with version 8 an element Cd
		var status struct {
			Text string `xml:",chardata"`
			Code string `xml:"Cd"`
		}
		err := c.xml.DecodeElement(&status, &start)
		c.entry.status = strings.TrimSpace(status.Text + status.Code)
		return true, syntax(err)
	}
	return false, nil
}

// tell hands out the line of a transaction. The entry says what the transaction doesn't.
func (c *camt) tell(t camtTransaction) error {
	c.entry.told++
	said := t.Amount
	if said.Text == "" {
		said = t.Older
	}
	if said.Text == "" {
		said = c.entry.amount
	}
	a, err := money.Read(strings.TrimSpace(said.Text))
	if err != nil {
		return fmt.Errorf("the amount of an entry %w", err)
	}
	mark := strings.TrimSpace(t.Mark)
	if mark == "" {
		mark = strings.TrimSpace(c.entry.mark)
	}
	if mark != "DBIT" && mark != "CRDT" {
		return errors.New("an entry says neither DBIT nor CRDT (CdtDbtInd)")
	}
	tradeNo := tradeNoOf(t.EndToEndID)
	if tradeNo == "" {
		tradeNo = tradeNoOf(t.InstrID)
	}
	l, counts := one(tradeNo, a, said.Currency, mark == "DBIT", c.entry.reversal || t.Return != nil && mark == "CRDT")
	if c.entry.status != "" && c.entry.status != "BOOK" {
		l.State = reconcile.Pending
	}
	if counts && !c.yield(l, nil) {
		return errEnough
	}
	return nil
}
