package rows

import (
	"bytes"
	"strings"
)

// parse reads one row from the beginning of data, and answers its size with its line end. With more, the row
// isn't over yet; whole tells that nothing follows. Of a row with a fault only the first line is taken: the
// next row begins behind it.
func parse(data []byte, separator byte, whole bool) (cells []string, size int, fault *Fault, more bool) {
	end := bytes.IndexByte(data, '\n')
	if end < 0 && !whole {
		return nil, 0, nil, true
	}
	size = end + 1
	if end < 0 {
		end, size = len(data), len(data)
	}
	if bytes.IndexByte(data[:end], '"') < 0 {
		return strings.Split(withoutEnd(data[:size]), string(separator)), size, nil, false
	}
	p := parser{data: data, separator: separator, whole: whole}
	for !p.over {
		if fault, more = p.cell(); more {
			return nil, 0, nil, true
		}
		if fault != nil {
			fault.Cell = len(p.cells)
			return p.cells, size, fault, false
		}
	}
	return p.cells, p.at, nil, false
}

// parser goes through one row with quotes.
type parser struct {
	data      []byte
	separator byte
	whole     bool
	at        int
	cells     []string
	over      bool // the row has ended
}

// The faults of quotes.
var (
	bareQuote = Fault{Problem: "has a quotation mark inside of a cell that has none around it",
		Proposal: "put quotation marks around the whole cell, and write each one inside of it twice"}
	openQuote = Fault{Problem: "has quotation marks that don't end", Proposal: "end the cell with a quotation mark, or remove the one at its beginning"}
	lateQuote = Fault{Problem: "goes on behind its closing quotation mark", Proposal: "write each quotation mark inside of the cell twice"}
)

// cell reads the next cell.
func (p *parser) cell() (fault *Fault, more bool) {
	if p.at < len(p.data) && p.data[p.at] == '"' {
		return p.quoted()
	}
	rest := p.data[p.at:]
	end := bytes.IndexAny(rest, string(p.separator)+"\n")
	if end < 0 {
		if !p.whole {
			return nil, true
		}
		end = len(rest)
	}
	text := rest[:end]
	if p.at += end; p.at == len(p.data) || p.data[p.at] == '\n' {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	if bytes.IndexByte(text, '"') >= 0 {
		f := bareQuote
		return &f, false
	}
	p.cells = append(p.cells, string(text))
	p.step()
	return nil, false
}

// quoted reads a cell in quotation marks.
func (p *parser) quoted() (fault *Fault, more bool) {
	var text []byte
	for p.at++; ; {
		end := bytes.IndexByte(p.data[p.at:], '"')
		if end < 0 {
			f := openQuote
			return &f, !p.whole
		}
		text = append(text, p.data[p.at:p.at+end]...)
		p.at += end + 1
		if p.at < len(p.data) && p.data[p.at] == '"' {
			text = append(text, '"')
			p.at++
			continue
		}
		break
	}
	rest := p.data[p.at:]
	if !p.whole && len(rest) < 2 {
		return nil, true
	}
	if bytes.HasPrefix(rest, []byte("\r\n")) || string(rest) == "\r" {
		p.at++
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0] != p.separator && rest[0] != '\n' {
		f := lateQuote
		if bytes.IndexByte(text, '\n') >= 0 { // the quotation mark belongs to another row
			f = openQuote
		}
		return &f, false
	}
	p.cells = append(p.cells, string(text))
	p.step()
	return nil, false
}

// step goes behind the separator or the line end.
func (p *parser) step() {
	if p.at == len(p.data) {
		p.over = true
		return
	}
	p.over = p.data[p.at] == '\n'
	p.at++
}

// Quote writes a cell so that it is read as this text, whatever the separator is.
func Quote(text string) string {
	if !strings.ContainsAny(text, "\",;\t\r\n") {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
