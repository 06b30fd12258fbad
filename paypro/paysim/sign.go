package paysim

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
)

// Where a sign is looked for (paypro-api.md §2.4).
const (
	inBody   = "body"
	inHeader = "header"
	inBoth   = "both"
)

// params are the fields of a request body as received: string, json.Number, bool or
// nil. Nothing is converted, because the sign covers the literal text.
type params map[string]any

// text is what Java's String.valueOf gives (pages */overview): a null is signed as
// the word null, which is one more reason not to send it.
func (p params) signedText(name string) string {
	switch v := p[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}

// given is the value of a field for everything but the sign: a null is none.
func (p params) value(name string) string {
	if p[name] == nil {
		return ""
	}
	return p.signedText(name)
}

// digest is the sign of the parameters (pages */overview): all but sign and the
// empty ones, sorted by the whole name as Collections.sort does, joined as key=value
// with nothing between. The side of the salt is [U], hence a setting.
func (p params) digest(secret, salt string) string {
	names := make([]string, 0, len(p))
	for name := range p {
		if name != "sign" && p.signedText(name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	buf := make([]byte, 0, 512)
	if salt == "prefix" {
		buf = append(buf, secret...)
	}
	for _, name := range names {
		buf = append(append(append(buf, name...), '='), p.signedText(name)...)
	}
	if salt != "prefix" {
		buf = append(buf, secret...)
	}
	sum := md5.Sum(buf)
	return hex.EncodeToString(sum[:])
}

// signed tells whether the sign is right and where it belongs. With both places
// open, one is enough, and none may be wrong.
func (a *account) signed(p params, header string) bool {
	want := p.digest(a.Secret, a.Salt)
	body := p.value("sign")
	switch a.signIn {
	case inHeader:
		return header == want
	case inBoth:
		return (body == want || body == "" && header != "") && (header == want || header == "")
	}
	return body == want
}
