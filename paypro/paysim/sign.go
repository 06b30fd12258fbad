package paysim

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
)

// Where a sign may be (paypro-api.md §2.4).
const (
	inBody   = "body"
	inHeader = "header"
	inBoth   = "both"
)

// params are the fields of a request body: string, json.Number, bool or nil. Nothing is
// converted, because the sign covers the text as it was written.
type params map[string]any

// signedText is the text that is signed, as Java's String.valueOf writes it (pages */overview).
// null is signed as the word null; a client should leave such fields out.
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

// value is the value of a field for everything but the sign; null is "".
func (p params) value(name string) string {
	if p[name] == nil {
		return ""
	}
	return p.signedText(name)
}

// digest is the sign of the parameters (pages */overview). It leaves out sign and empty values,
// sorts by the whole name as Collections.sort does, and joins key=value without separators. The
// side of the secret is [U], so it is a setting.
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

// signed tells whether the sign is right and in its place. If both places are allowed, one is
// enough and none may be wrong.
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
