package rows

import (
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

func known(name string) bool { return name == "a" || name == "b" || name == "c" }

// all reads a whole table.
func all(t testing.TB, in io.Reader) (r *Reader, found []Row) {
	t.Helper()
	r, err := Open(in, known)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r, found
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, row)
	}
}

// in16 is a text in UTF-16 with its mark.
func in16(text string, big bool) string {
	var b strings.Builder
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		low, high := byte(unit), byte(unit>>8)
		if big {
			low, high = high, low
		}
		b.WriteByte(low)
		b.WriteByte(high)
	}
	return b.String()
}

func TestEverySeparatorAndEncoding(t *testing.T) {
	for _, separator := range []string{",", ";", "\t"} {
		for _, end := range []string{"\n", "\r\n"} {
			text := strings.ReplaceAll("a,b,c"+end+end+`"x, ""y""",é`+"\t;,"+end+"1,2,3", ",", separator)
			for name, file := range map[string]string{"UTF-8": text, "with mark": "\ufeff" + text, "UTF-16LE": in16(text, false), "UTF-16BE": in16(text, true)} {
				r, found := all(t, iotest.OneByteReader(strings.NewReader(file)))
				if string(r.Separator) != separator || r.Mark != (name != "UTF-8") || r.CRLF != (end == "\r\n") || !reflect.DeepEqual(r.Header.Cells, []string{"a", "b", "c"}) {
					t.Errorf("%s %q: separator %q, %+v", name, separator, r.Separator, r.Header)
				}
				if len(found) != 2 || found[0].Line != 3 || found[1].Line != 4 || found[0].Cells[0] != "x"+separator+` "y"` || found[1].Cells[2] != "3" {
					t.Errorf("%s %q: %+v", name, separator, found)
				}
			}
		}
	}
}

// What is wrong with one row costs no other one.
func TestABadRowLeavesTheOthersAlone(t *testing.T) {
	for bad, want := range map[string]struct {
		fault Fault
		cell  int
	}{
		`x,5" pipe,y`:                       {bareQuote, 1},
		`x,y,"never ends`:                   {openQuote, 2},
		`"x"y,1,2`:                          {lateQuote, 0},
		`"x" ,1,2`:                          {lateQuote, 0},
		"x," + strings.Repeat("y", longest): {Fault{}, 0},
	} {
		_, found := all(t, strings.NewReader("a,b,c\n1,2,3\n"+bad+"\n4,5,6\n"+bad+"\r\n7,8,9"))
		if len(found) != 5 {
			t.Fatalf("%.20s: %d rows", bad, len(found))
		}
		for i, row := range found {
			isBad := i%2 == 1
			if row.Line != i+2 || (row.Fault != nil) != isBad || !isBad && len(row.Cells) != 3 {
				t.Errorf("%.20s: row %d is on line %d with %v", bad, i, row.Line, row.Fault)
			}
			if isBad && want.fault.Problem != "" && (row.Fault.Problem != want.fault.Problem || row.Fault.Cell != want.cell || row.Raw != bad) {
				t.Errorf("%.20s: %+v", bad, row)
			}
		}
	}
}

func TestALineBreakInACell(t *testing.T) {
	_, found := all(t, strings.NewReader("a,b,c\n1,\"two\nlines\",3\n4,5,6\n"))
	if len(found) != 2 || found[0].Cells[1] != "two\nlines" || found[0].Line != 2 || found[1].Line != 4 {
		t.Errorf("%+v", found)
	}
}

func TestWhatIsNoTable(t *testing.T) {
	for file, want := range map[string]string{
		"a\x00,\x00b\x00":           "UTF-16 without",
		"\x00a\x00,\x00b":           "UTF-16 without",
		"\xff\xfe\x00\x00a\x00\x00": "UTF-32",
		"PK\x03\x04 and so on":      "a spreadsheet",
		"a,b\r1,2\r":                "CR alone",
		"a,\"b\n1,2\n":              "don't end",
		"":                          "EOF",
		"\ufeff":                    "EOF",
		"\n\r\n\n":                  "EOF",
		strings.Repeat("a,", 1<<20): "the first line has more",
	} {
		if _, err := Open(strings.NewReader(file), known); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", file, err, want)
		}
	}
}

// What the standard library reads is read alike. Whatever comes, each line comes once, in order.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a;b\n\"x;\"\"y\";2\n", "a\tb\r\n\"1\n2\"\t3\n", "a,b\n\"1\n2,3\n4\"5,6\n", "a\n\"\"\n\"", "\xff\xfea\x00\n\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Open(strings.NewReader(text), known)
		if err != nil {
			return
		}
		var found [][]string
		line, faults := 0, 0
		for row := r.Header; err == nil; row, err = r.Next() {
			if row.Line <= line || row.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("line %d after %d", row.Line, line)
			}
			line = row.Line
			if row.Fault != nil {
				faults++
				if row.Fault.Cell != len(row.Cells) || row.Fault.Proposal == "" {
					t.Fatalf("%+v", row)
				}
			}
			found = append(found, row.Cells)
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if strings.ContainsAny(text, "\r\x00") || r.Mark {
			return
		}
		theirs := csv.NewReader(strings.NewReader(text))
		theirs.Comma, theirs.FieldsPerRecord = rune(r.Separator), -1
		if want, err := theirs.ReadAll(); err == nil && (faults > 0 || !reflect.DeepEqual(found, want)) {
			t.Fatalf("%q: %q, want %q", text, found, want)
		}
	})
}

func TestQuote(t *testing.T) {
	for _, text := range []string{"", "plain", "a,b", "a;b", "a\tb", `say "x"`, "two\nlines"} {
		for _, separator := range []string{",", ";", "\t"} {
			r, err := Open(strings.NewReader("a"+separator+"b"+separator+"c\n1"+separator+Quote(text)+separator+"3\n"), known)
			if err != nil {
				t.Fatal(err)
			}
			if row, err := r.Next(); err != nil || row.Fault != nil || len(row.Cells) != 3 || row.Cells[1] != text {
				t.Errorf("%q: %+v, %v", text, row, err)
			}
		}
	}
}
