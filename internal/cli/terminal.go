package cli

import (
	"io"
	"os"
	"strconv"
)

// Terminal tells whether w is a terminal that can move its cursor, so that a person is
// watching.
func Terminal(w io.Writer) bool {
	f, is := w.(*os.File)
	if !is {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Colour tells whether w is such a terminal, and its user hasn't turned colours off
// (no-color.org).
func Colour(w io.Writer) bool { return Terminal(w) && os.Getenv("NO_COLOR") == "" }

// Width is how many characters a line of the terminal w has; 0 if w is none, or nobody knows. COLUMNS goes before what
// the terminal says.
func Width(w io.Writer) int {
	file, is := w.(*os.File)
	if !is || !Terminal(w) {
		return 0
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return columns(file)
}
