package paypro

import (
	"fmt"
	"strings"
	"unicode"
)

// Payee fields are of two kinds. Numbers, codes, keys and addresses of mail are compared by
// machines: a character that nobody sees, or a digit of another script, makes another
// account of them. Names are read by people, and some can't be written without joiners.

// accountWords are parts of the names of fields that machines compare.
var exactWords = []string{
	"account", "bic", "card", "cert", "clabe", "code", "email", "iban", "id", "identity", "ifsc", "ip", "key", "mail",
	"mobile", "msisdn", "no", "number", "phone", "pix", "swift", "type", "upi", "wallet",
}

// isWords tells by a field's name whether it holds text for people. A name that has "name"
// in it does (bankName), one with a part that says otherwise doesn't (bankAccountNo), and of
// others nobody knows: they may hold anything.
func isFreeText(name string) bool {
	parts := nameParts(name)
	for _, part := range parts {
		if strings.Contains(part, "name") {
			return true
		}
	}
	for _, part := range parts {
		for _, word := range exactWords {
			if part == word {
				return false
			}
		}
	}
	return true
}

// partsOf splits bankAccountNo into bank, account, no, and bankNCode into bank, n, code.
func nameParts(name string) []string {
	var parts strings.Builder
	letters := []rune(name)
	for i, c := range letters {
		beginsWord := i > 0 && unicode.IsUpper(c) && (!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if beginsWord {
			parts.WriteByte('_')
		}
		parts.WriteRune(unicode.ToLower(c))
	}
	return strings.FieldsFunc(parts.String(), func(c rune) bool { return c == '_' || unicode.IsDigit(c) })
}

// invisible tells a character that leaves no mark: white space, joiners, marks of
// direction, fillers.
func invisible(c rune) bool {
	return unicode.IsSpace(c) || invisibleNotSpace(c)
}

// hidden is what is invisible and no white space. U+2800 is the empty pattern of Braille.
func invisibleNotSpace(c rune) bool {
	return c == '\u2800' || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// unfit names the first character that has no place in what machines compare, "" if there
// is none.
func forbiddenCharacter(value string) string {
	for _, c := range value {
		switch {
		case invisibleNotSpace(c):
			return fmt.Sprintf("the invisible character %U", c)
		case unicode.IsSpace(c):
			return fmt.Sprintf("white space (%U)", c)
		case c > unicode.MaxASCII && unicode.IsNumber(c):
			return fmt.Sprintf("%U, a digit that is not one of 0 to 9", c)
		}
	}
	return ""
}
