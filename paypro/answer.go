package paypro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"disburser/payout/money"
)

// The outer codes that the pages know (SouthKorea/errorcode).
const (
	codeOK        = "0000" // accepted: look at data.status
	codeException = "5000" // system exception: the outcome is unknown
	codeFailed    = "8000" // the request failed
)

// Limits of what is kept of the provider's words.
const (
	maxText  = 200
	maxCode  = 64
	maxDepth = 16 // of nested JSON; the provider nests one deep
)

// answer is the envelope of every reply. It is tolerant where nothing is decided:
// numbers may be texts and texts numbers, and unknown fields are ignored. It is strict
// where money is: a code or a status is a JSON text, and no name stands twice.
type answer struct {
	code    string
	status  string // data.status; "" = none
	msg     string
	data    map[string]any // nil = none
	success successFlag    // decides nothing by itself: it may only contradict the code
}

// flag is the success of an envelope. The pages' tables call it a text, their samples
// show true or false (paypro-api.md §4.1).
type successFlag int8

const (
	successMissing successFlag = iota
	successTrue
	successFalse
)

func readSuccess(v any) successFlag {
	switch v := v.(type) {
	case bool:
		if v {
			return successTrue
		}
		return successFalse
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return successTrue
		case "false":
			return successFalse
		}
	}
	return successMissing
}

// readAnswer reads a body. Its errors name the field, never what stood in it.
func readAnswer(body []byte) (answer, error) {
	fields, err := readJSON(body)
	if err != nil {
		return answer{}, err
	}
	a := answer{msg: firstText(fields, "msg"), success: readSuccess(fields["success"])}
	if a.data, err = readData(fields["data"]); err != nil {
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

// dataOf is the inner object. What it is in an error's answer is documented
// nowhere: null, missing and every empty value mean that there is none.
func readData(v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, errors.New("its data is no object")
}

// codeOf reads a code, "" if there is none. A JSON number is refused: 0015 and 15
// could be the same number, its leading zeros are lost. So is a text that
// somebody must have mangled: "0000 " is not 0000, but neither is it a failure.
func readCode(fields map[string]any, name string) (string, error) {
	switch v := fields[name].(type) {
	case nil:
		return "", nil
	case string:
		if v == "" || validCode(v) {
			return v, nil
		}
	}
	return "", fmt.Errorf("its %s is not a text that could be a code", name)
}

// readable tells what may be a code: short, printable, without spaces around it.
func validCode(code string) bool {
	return code != "" && len(code) <= maxCode && strings.TrimSpace(code) == code &&
		!strings.ContainsFunc(code, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// about says whose answer it is.
type subject int8

const (
	subjectMissing subject = iota // it names no tradeNo
	subjectOurs                   // it names the one that was asked about
	subjectOther                  // a mix-up, or a tradeNo of a wrong type
)

func (a answer) subjectFor(tradeNo string) subject {
	v := a.data["tradeNo"]
	if v == nil || v == "" {
		return subjectMissing
	}
	if text, ok := textOf(v); ok && text == tradeNo {
		return subjectOurs
	}
	return subjectOther
}

// bare tells that the answer has no data at all, not even an empty status.
func (a answer) hasNoData() bool { return len(a.data) == 0 }

// amount is the first of the names that holds an amount that can be read exactly, "" if
// none does, and how it was written; unread tells that one of them holds something else.
// What that is isn't passed on: it may be anything.
func (a answer) amount(names []string) (text, written string, unread bool) {
	for _, name := range names {
		v := a.data[name]
		if v == nil || v == "" {
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

// firstText is the first of the names that holds a text or a number.
func firstText(fields map[string]any, names ...string) string {
	for _, name := range names {
		if text, ok := textOf(fields[name]); ok && text != "" {
			return text
		}
	}
	return ""
}

// textOf is a text, or a number by its literal text, never by a float.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// oneLine makes provider text fit for a log: one line, nothing that moves a
// cursor, not longer than limit bytes.
func oneLine(text string, limit int) string {
	if !printableASCII(text) { // nearly all are: looking is cheaper than making anew
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
	return strings.ToValidUTF8(text[:limit], "") // a character cut in two goes whole
}

// plain tells whether a text is printable ASCII.
func printableASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// readJSON reads one JSON object and nothing after it. encoding/json's Unmarshal
// would take the last of two equal names and ignore their case: of two different
// statuses it would believe one. Its word that the text is JSON is believed.
func readJSON(body []byte) (map[string]any, error) {
	if !json.Valid(body) {
		return nil, errors.New("it is no JSON")
	}
	r := jsonReader{text: string(body)}
	value, err := r.value(maxDepth)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("it is no JSON object")
	}
	return object, nil
}
