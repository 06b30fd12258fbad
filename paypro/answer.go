package paypro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"disburser/payout/money"
)

// The outer codes that the provider explains (page SouthKorea/errorcode, paypro-api.md §5.1).
const (
	codeOK        = "0000" // the call was accepted: data.status tells more
	codeException = "5000" // system exception: the outcome is unknown
	codeFailed    = "8000" // the request failed
)

// Limits for text of the provider that is passed on.
const (
	maxText  = 200 // bytes of a message
	maxCode  = 64  // bytes of a code or a number
	maxDepth = 16  // levels of nested JSON; the provider's answers have two
)

// answer is the envelope of every reply (paypro-api.md §4.1). Fields that decide nothing are
// read leniently: text or number, and unknown fields are ignored. Fields that decide about
// money are read strictly: a code and a status must be JSON texts, and no name may occur twice.
type answer struct {
	code    string
	status  string // data.status; "" = none
	msg     string
	data    jsonValue   // an object, or none
	success successFlag // decides nothing by itself, but may contradict the code
}

// successFlag is the field success of an envelope. The tables of the pages call it a text,
// their samples show true or false (paypro-api.md §4.1).
type successFlag int8

const (
	successMissing successFlag = iota
	successTrue
	successFalse
)

// readSuccess reads the field success: a boolean, or the text true or false in any letter case.
func readSuccess(v jsonValue) successFlag {
	if v.kind != jsonBoolean && v.kind != jsonText {
		return successMissing
	}
	switch strings.ToLower(strings.TrimSpace(v.text)) {
	case "true":
		return successTrue
	case "false":
		return successFalse
	}
	return successMissing
}

// readAnswer reads the body of an answer. Its errors name the field, never the value, because a
// value may be payee data.
func readAnswer(body []byte) (answer, error) {
	fields, err := readJSON(body)
	if err != nil {
		return answer{}, err
	}
	a := answer{msg: firstText(fields, "msg"), success: readSuccess(fields.field("success"))}
	if a.data, err = readData(fields.field("data")); err != nil {
		return answer{}, err
	}
	if a.code, err = readCode(fields, "code"); err != nil {
		return answer{}, err
	}
	if a.code == "" {
		return answer{}, errors.New("it has no code")
	}
	a.status, err = readCode(a.data, "status")
	return a, err
}

// readData reads the inner object. null, a missing field and an empty value mean that there is
// none: no page says what the provider sends with an error.
func readData(v jsonValue) (jsonValue, error) {
	empty := v.text == "" && len(v.inner) == 0
	switch {
	case v.kind == jsonObject:
		return v, nil
	case v.kind == jsonNone, v.kind == jsonText && empty, v.kind == jsonArray && empty:
		return jsonValue{}, nil
	}
	return jsonValue{}, errors.New("its data is no object")
}

// readCode reads a code, "" if there is none. It refuses a JSON number: 0015 and 15 would be
// the same number. It also refuses a damaged text such as "0000 ", which neither means 0000 nor
// a failure.
func readCode(fields jsonValue, name string) (string, error) {
	switch v := fields.field(name); v.kind {
	case jsonNone:
		return "", nil
	case jsonText:
		if v.text == "" || validCode(v.text) {
			return v.text, nil
		}
	default:
	}
	return "", fmt.Errorf("its %s is not a text that could be a code", name)
}

// validCode tells whether a text can be a code: short, printable, without spaces around it.
func validCode(code string) bool {
	return code != "" && len(code) <= maxCode && strings.TrimSpace(code) == code &&
		!strings.ContainsFunc(code, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// subject says whose payout an answer is about.
type subject int8

const (
	subjectMissing subject = iota // the answer names no tradeNo
	subjectOurs                   // it names the tradeNo that we asked about
	subjectOther                  // it names another tradeNo, or one of a wrong type
)

// subjectFor compares the answer's tradeNo with ours.
func (a answer) subjectFor(tradeNo string) subject {
	v := a.data.field("tradeNo")
	if v.isEmpty() {
		return subjectMissing
	}
	if text, ok := textOf(v); ok && text == tradeNo {
		return subjectOurs
	}
	return subjectOther
}

// hasNoData tells that the answer has no data at all, not even an empty status.
func (a answer) hasNoData() bool { return len(a.data.inner) == 0 }

// amount returns the first amount among the named fields that can be read exactly, "" if there
// is none. written is the text as the provider wrote it. unread tells that a field holds
// something that is no amount; its text is not returned, because it may be payee data.
func (a answer) amount(names []string) (text, written string, unread bool) {
	for _, name := range names {
		v := a.data.field(name)
		if v.isEmpty() {
			continue
		}
		if written, ok := textOf(v); ok {
			if amount, err := money.Read(written); err == nil {
				return amount.String(), written, false
			}
		}
		unread = true
	}
	return "", "", unread
}

// firstText returns the first text or number among the named fields, "" if there is none.
func firstText(fields jsonValue, names ...string) string {
	for _, name := range names {
		if text, ok := textOf(fields.field(name)); ok && text != "" {
			return text
		}
	}
	return ""
}

// textOf returns a text, or a number as it was written: a float would round it.
func textOf(v jsonValue) (string, bool) {
	if v.kind == jsonText || v.kind == jsonNumber {
		return v.text, true
	}
	return "", false
}

// isEmpty tells that there is no value, or an empty text.
func (v jsonValue) isEmpty() bool { return v.kind == jsonNone || v.kind == jsonText && v.text == "" }

// oneLine makes a text of the provider safe for a log: one line, no control or format
// characters, at most limit bytes.
func oneLine(text string, limit int) string {
	if !printableASCII(text) { // nearly all texts are: checking is cheaper than copying
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, "?"))
	}
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") // drops a character that the cut left in part
}

// printableASCII tells whether a text has printable ASCII characters only.
func printableASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// readJSON reads one JSON object and nothing after it. It refuses an object in which a name
// occurs twice: json.Unmarshal would take the last one, and so choose one of two statuses.
func readJSON(body []byte) (jsonValue, error) {
	if !json.Valid(body) {
		return jsonValue{}, errors.New("it is no JSON")
	}
	r := jsonReader{text: string(body)}
	value, err := r.value(maxDepth)
	if err != nil {
		return jsonValue{}, err
	}
	if value.kind != jsonObject {
		return jsonValue{}, errors.New("it is no JSON object")
	}
	return value, nil
}
