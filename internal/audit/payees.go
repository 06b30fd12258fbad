package audit

import (
	"bytes"
	"maps"
	"slices"
	"unicode/utf8"

	"disburser/message"
)

// Payees are values of people's data that may stand nowhere in clear: whole names, accounts, documents, addresses.
type Payees struct {
	texts   map[string]bool // looked for as they are
	numbers map[string]bool // looked for in each run of digits
	lengths map[int]bool    // of the numbers
}

const (
	// shortest is how long a value must be to be looked for: a kind of account (CPF) is no person's data.
	shortest = 6

	// number is how many digits a number has that is looked for: fewer stand in any text by chance.
	shortestNumber = 9

	// payeesTold is how many of those found are told.
	payeesTold = 5
)

// PayeesOf gathers everything personal in commands.
func PayeesOf(lines []string) Payees {
	p := Payees{texts: map[string]bool{}, numbers: map[string]bool{}, lengths: map[int]bool{}}
	for _, line := range lines {
		orders, _ := message.Decode([]byte(line)) // unreadable: none
		for _, o := range orders {
			for _, value := range o.Command.Payee.Reveal() {
				p.add(value)
			}
		}
	}
	return p
}

// Len is how many values there are.
func (p Payees) Len() int { return len(p.texts) + len(p.numbers) }

// add takes a value. Of addresses of electronic mail it is the domain that is looked for: in no text one may stand.
func (p Payees) add(value string) {
	if at := bytes.IndexByte([]byte(value), '@'); at >= 0 {
		value = value[at:]
	}
	switch {
	case digits(value) && len(value) >= shortestNumber:
		p.numbers[value], p.lengths[len(value)] = true, true
	case !digits(value) && utf8.RuneCountInString(value) >= shortest:
		p.texts[value] = true
	}
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// In answers those that stand in a text, a few at most. It may be a file of a database: values lie there side by side.
func (p Payees) In(text []byte) []string {
	found := map[string]bool{}
	for value := range p.texts {
		if len(found) < payeesTold && bytes.Contains(text, []byte(value)) {
			found[value] = true
		}
	}
	for from := 0; from < len(text); from++ {
		if text[from] < '0' || text[from] > '9' {
			continue
		}
		end := from
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		for at := from; at < end && len(found) < payeesTold; at++ {
			for n := range p.lengths {
				if at+n <= end && p.numbers[string(text[at:at+n])] {
					found[string(text[at:at+n])] = true
				}
			}
		}
		from = end
	}
	return slices.Sorted(maps.Keys(found))
}
