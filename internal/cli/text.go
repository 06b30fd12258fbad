package cli

import (
	"strings"
	"unicode"
)

// OneLine is a text from outside as it can be printed: it breaks no line, and tells no terminal what to do.
func OneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(printable, text)), " ")
}

// printable is a character that a terminal prints: itself, or a space.
func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return ' '
}
