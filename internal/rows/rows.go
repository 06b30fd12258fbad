// Package rows promises to read a table that somebody has saved as text, with quotes as in RFC 4180. Its
// separator is a comma, a semicolon or a tab, its encoding UTF-8 or UTF-16. Nothing is guessed but the separator, and that by the
// names in the header. A line that can't be read is told by its number, and the next ones are read all the same.
// The memory that it takes doesn't grow with the file.
package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// longest bounds a row, in bytes. The longest payout that is allowed takes a fifth of it.
const longest = 256 << 10

// usual is how many bytes are read at a time. Longer rows get more, twice their bound at most.
const usual = 16 << 10

// Row is one row of a table.
type Row struct {
	Line  int      // on which it begins, the first is 1
	Cells []string // without their quotes; of a row with a fault as far as it could be read
	Raw   string   // the whole row as it stands, without its line end
	Fault *Fault   // nil: none
}

// Fault says why a row, or a whole file, can't be read.
type Fault struct {
	Cell     int // which one of the row it is, from 0
	Problem  string
	Proposal string // what to do about it
}

// Error is the problem and what to do about it.
func (f *Fault) Error() string { return f.Problem + ": " + f.Proposal }

// Reader reads a table from its beginning to its end.
type Reader struct {
	Header    Row
	Separator byte // , ; or tab
	Mark      bool // whether the file begins with a byte order mark
	CRLF      bool // whether its header ends with CR and LF

	in       io.Reader
	buffer   []byte
	from, to int
	ended    bool
	line     int // of the next row
}

// Open reads the header. known tells whether a name is that of a column. An error that is a *Fault says what
// is wrong with the file as a whole; io.EOF means that nothing is in it.
func Open(in io.Reader, known func(name string) bool) (*Reader, error) {
	r := &Reader{in: in, buffer: make([]byte, usual), line: 1, Separator: ','}
	if err := r.decode(); err != nil {
		return nil, err
	}
	best := -1
	first, err := r.firstLine()
	if err != nil {
		return nil, err
	}
	for _, separator := range []byte{',', ';', '\t'} {
		cells, _, fault, _ := parse(first, separator, true)
		count := 0
		for _, name := range cells {
			if known(name) {
				count++
			}
		}
		if fault == nil && count > best {
			best, r.Separator = count, separator
		}
	}
	if r.Header, err = r.Next(); err != nil {
		return nil, err
	}
	if r.Header.Fault != nil {
		return nil, r.Header.Fault
	}
	return r, nil
}

// decode looks at the first bytes, and has UTF-16 made UTF-8.
func (r *Reader) decode() error {
	for r.to < 4 && !r.ended {
		if err := r.fill(); err != nil {
			return err
		}
	}
	head := r.buffer[:r.to]
	wrong := func(what string) error { return &Fault{Problem: what, Proposal: `save it as "CSV UTF-8"`} }
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")):
		return wrong("the file is UTF-32")
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		utf16 := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		r.in = transform.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(head)), r.in), utf16)
		r.Mark, r.to, r.ended = true, 0, false
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		r.Mark, r.from = true, 3
	case len(head) >= 4 && head[0] != 0 && head[1] == 0 && head[3] == 0, len(head) >= 4 && head[0] == 0 && head[2] == 0:
		return wrong("the file is UTF-16 without a byte order mark")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return wrong("the file is a spreadsheet, not text")
	}
	return nil
}

// firstLine is the first line that isn't empty, without being taken.
func (r *Reader) firstLine() ([]byte, error) {
	for {
		data := r.buffer[r.from:r.to]
		if blank := len(data) - len(bytes.TrimLeft(data, "\r\n")); blank > 0 {
			r.line += bytes.Count(data[:blank], []byte("\n"))
			r.from += blank
			continue
		}
		end := bytes.IndexByte(data, '\n')
		switch {
		case end < 0 && !r.ended && len(data) <= longest:
			if err := r.fill(); err != nil {
				return nil, err
			}
			continue
		case len(data) == 0:
			return nil, io.EOF
		case end < 0 && len(data) > longest:
			return nil, &Fault{Problem: fmt.Sprintf("the first line has more than %d bytes", longest), Proposal: "begin the file with the names of its columns"}
		case end < 0:
			end = len(data)
		}
		r.CRLF = end > 0 && data[end-1] == '\r'
		first := bytes.TrimSuffix(data[:end], []byte("\r"))
		if bytes.IndexByte(first, '\r') >= 0 {
			return nil, &Fault{Problem: "the lines end with CR alone", Proposal: "save the file with line ends LF or CR LF"}
		}
		return first, nil
	}
}

// fill reads more of the file into the buffer.
func (r *Reader) fill() error {
	if r.from > 0 {
		r.to = copy(r.buffer, r.buffer[r.from:r.to])
		r.from = 0
	}
	if r.to == len(r.buffer) {
		r.buffer = append(r.buffer, make([]byte, len(r.buffer))...)
	}
	n, err := r.in.Read(r.buffer[r.to:])
	r.to += n
	if errors.Is(err, io.EOF) {
		r.ended, err = true, nil
	}
	return err
}

// Next answers the next row; io.EOF after the last one. Empty lines are left out.
func (r *Reader) Next() (Row, error) {
	for {
		data := r.buffer[r.from:r.to]
		if len(data) == 0 && r.ended {
			return Row{}, io.EOF
		}
		whole := r.ended || len(data) > longest // nothing that is added could help
		cells, size, fault, more := parse(data, r.Separator, whole)
		if more {
			if err := r.fill(); err != nil {
				return Row{}, err
			}
			continue
		}
		if size > longest || size == len(data) && !r.ended && len(data) > longest {
			return r.tooLong()
		}
		row := Row{Line: r.line, Cells: cells, Raw: withoutEnd(data[:size]), Fault: fault}
		r.line += bytes.Count(data[:size], []byte("\n"))
		r.from += size
		if row.Raw != "" {
			return row, nil
		}
	}
}

// tooLong skips the line, which is too long.
func (r *Reader) tooLong() (Row, error) {
	row := Row{Line: r.line, Fault: &Fault{Problem: fmt.Sprintf("the line has more than %d bytes", longest), Proposal: "write each payout on a line of its own"}}
	for {
		if end := bytes.IndexByte(r.buffer[r.from:r.to], '\n'); end >= 0 {
			r.from += end + 1
			r.line++
			return row, nil
		}
		if r.from = r.to; r.ended {
			return row, nil
		}
		if err := r.fill(); err != nil {
			return Row{}, err
		}
	}
}

func withoutEnd(line []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
}
