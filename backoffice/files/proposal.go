package files

import (
	"cmp"
	"regexp"
	"strings"

	"disburser/internal/rules"
	"disburser/internal/similar"
	"disburser/message"
	"disburser/payout/money"
)

var (
	dateAndTime = regexp.MustCompile(`^[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?$`)
	date        = regexp.MustCompile(`^[0-9]{4}-[01][0-9]-[0-3][0-9]$`)
	pointed     = regexp.MustCompile(`^[0-9]{1,3}(?:\.[0-9]{3})+$`)
)

// propose says what to write instead of a value that breaks a rule. All but payees' values may be shown.
func propose(p message.Problem, value string, m rules.Merchant, all rules.Merchants) string {
	if name, is := strings.CutPrefix(p.Field, "payee."); is {
		return proposePayee(name, p.Text, value, m)
	}
	switch p.Field {
	case "tradeNo":
		return "write a number of its own for each payout, of A-Z a-z 0-9 _ - only, 64 characters at most"
	case "merchant":
		return proposeMerchant(value, all)
	case "amount":
		return proposeAmount(p.Text, value)
	case "currency":
		if own := m.OnlyCurrency(); own != rules.AnyCurrency && m.Name != "" {
			return "write " + own + ", or leave it empty"
		}
		return "write the three capital letters of a currency"
	case "batchSize":
		return "write a whole number, or leave it out"
	case "notBefore", "expiresAt":
		return proposeTime(p.Text, value)
	}
	return cmp.Or(limitOf(p.Text), "correct it as the rule says")
}

// limitOf is what to do about a text that is too long.
func limitOf(problem string) string {
	if _, limit, found := strings.Cut(problem, "longer than "); found {
		return "shorten it to " + limit
	}
	return ""
}

func proposeMerchant(value string, all rules.Merchants) string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	if meant := similar.Nearest(strings.TrimSpace(value), names); meant != "" && value != "" {
		return "write " + meant
	}
	const most = 10
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return "write one of " + strings.Join(names, ", ")
}

func proposeAmount(problem, value string) string {
	a, err := money.Parse(value)
	switch short := a.Canonical(); {
	case value == "":
		return "write the amount in plain digits, such as 300"
	case err != nil:
		return "write plain digits with an optional fraction, such as 300 or 300.50; the currency has a column of its own"
	case pointed.MatchString(value):
		return "write " + onlyDigits(value) + " if the point separates thousands, or " + short + " if it is the decimal point"
	case strings.Contains(problem, "least"), strings.Contains(problem, "most") && !strings.Contains(problem, "decimals"):
		return "correct the amount; the limit is " + problem[strings.LastIndexByte(problem, ' ')+1:]
	case !strings.Contains(short, "."):
		return "write " + short
	}
	return "write an amount with as many decimals as the rule allows"
}

func proposeTime(problem, value string) string {
	switch {
	case strings.Contains(problem, "over"):
		return "write a later time, or leave it empty"
	case strings.Contains(problem, "after notBefore"):
		return "write a time after notBefore"
	case dateAndTime.MatchString(value):
		full := strings.Replace(value, " ", "T", 1)
		if strings.Count(full, ":") == 1 {
			full += ":00"
		}
		return "write " + full + "Z if that is UTC, or the zone's offset such as +02:00 in the place of Z"
	case date.MatchString(value):
		return "write the time too, such as " + value + "T06:00:00Z"
	}
	return "write it like 2026-11-25T06:00:00Z"
}

// proposePayee says what to do about a payee's value without showing it.
func proposePayee(name, problem, value string, m rules.Merchant) string {
	fits := func(changed string) bool { return changed != value && m.Paypro.PayeeProblem(name, changed) == "" }
	bare := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" -.()/\u00a0\u202f", c) {
			return -1
		}
		return c
	}, value)
	switch {
	case strings.HasPrefix(problem, "is required"):
		return "fill it in: the provider wants it of every payout of " + m.Name
	case value == "":
		return cmp.Or(limitOf(problem), "correct it: it "+problem)
	case onlyDigits(value) == value && (fits("0"+value) || fits("00"+value)):
		return "write the 0 at its beginning again, which a spreadsheet has taken away; " + asText
	case value[0] == '0' && fits(value[1:]):
		return "write it without the 0 at its beginning"
	case fits(strings.TrimSpace(value)), fits(bare):
		return "write it without blanks, dashes, points and brackets"
	case beginning(problem, value, fits) != "":
		return "begin it with " + beginning(problem, value, fits) + " in the place of the 0"
	case strings.HasPrefix(problem, "must be one of "):
		words := strings.Split(strings.TrimPrefix(problem, "must be one of "), ", ")
		if meant := similar.Nearest(strings.TrimSpace(value), words); meant != "" {
			return "write " + meant
		}
		return "write " + strings.Join(words, " or ")
	case strings.HasPrefix(problem, "must not have "):
		return "remove " + strings.TrimPrefix(problem, "must not have ")
	}
	return cmp.Or(limitOf(problem), "correct it: it "+problem)
}

var numbers = regexp.MustCompile(`[0-9]{2,}`)

// beginning is the calling code that a rule wants in the place of a 0 at the beginning, "" if it wants none.
func beginning(rule, value string, fits func(string) bool) string {
	if value[0] != '0' {
		return ""
	}
	for _, number := range numbers.FindAllString(rule, -1) {
		for n := 1; n <= len(number); n++ {
			if fits(number[:n] + value[1:]) {
				return number[:n]
			}
		}
	}
	return ""
}
