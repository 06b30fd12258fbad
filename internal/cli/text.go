package cli

import (
	"strings"
	"unicode"
)

// OneLine is a text from outside as it can be printed: it breaks no line, and tells no terminal what to do.
func OneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
