package paypro

import (
	"fmt"
	"strings"
	"unicode"
)

// Payee fields are of two kinds. Machines compare numbers, codes, keys and mail addresses: an
// invisible character, or a digit of another script, makes it another account. People read
// names, and the names of some languages need invisible joiners.

// exactWords are parts of field names. A field whose name has one holds a value that machines
// compare.
var exactWords = []string{
	"account", "bic", "card", "cert", "clabe", "code", "email", "iban", "id", "identity", "ifsc", "ip", "key", "mail",
	"mobile", "msisdn", "no", "number", "phone", "pix", "swift", "type", "upi", "wallet",
}

// isFreeText tells by a field's name whether people read its value. A name with "name" in it
// says so (bankName). A name with one of exactWords says no (bankAccountNo). Any other field is
// treated as free text, because it may hold anything.
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

// nameParts splits bankAccountNo into bank, account, no, and bankNCode into bank, n, code.
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

// invisible tells whether a character shows nothing: white space, joiners, direction marks,
// fillers.
func invisible(c rune) bool {
	return unicode.IsSpace(c) || invisibleNotSpace(c)
}

// invisibleNotSpace tells whether a character shows nothing and is no white space. U+2800 is
// the empty Braille pattern, which Unicode doesn't list with the others.
func invisibleNotSpace(c rune) bool {
	return c == '\u2800' || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// forbiddenCharacter describes the first character that a value for machines must not have, ""
// if there is none.
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
