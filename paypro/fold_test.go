package paypro

import (
	"testing"
	"unicode"
)

// The fast path for ASCII texts gives the same result as the general one.
func TestPlainTextsAreFoldedLikeOthers(t *testing.T) {
	for c := rune(' '); c <= '~'; c++ {
		long := []rune(foldCase(string(c) + "é"))[0]
		if short := []rune(foldCase(string(c)))[0]; short != long {
			t.Errorf("%q is folded to %q alone and to %q beside others", c, short, long)
		}
		for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
			if foldCase(string(other)) != foldCase(string(c)) {
				t.Errorf("%q and %q are the same letter, and are folded apart", c, other)
			}
		}
	}
	for text, want := range map[string]string{
		"kevin was here": "*** was here", "KEVIN": "***", "\u212aevin": "***", "kevi": "kevi", " kevin\u200b": " ***",
	} {
		if got := maskOfValue(" kevin ").hideInText(oneLine(text, maxAnswer)); got != want {
			t.Errorf("%q is masked to %q, want %q", text, got, want)
		}
	}
}
