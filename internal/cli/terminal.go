package cli

import (
	"io"
	"os"
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
