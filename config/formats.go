package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"disburser/payout/acts"
	"disburser/payout/money"
)

// format is a rule that a tag names, for the look of a text or a list. It answers what is wrong ("must be digits
// only"), or "" for nothing.
type format struct {
	looks string // for docs/configuration.md
	text  func(text string) string
	list  func(list []string) string
}

// formats are the rules that the tags format and names may name.
var formats = map[string]format{
	"actions":            {looks: "of " + strings.Join(acts.NeedTwo, ", ") + "; none twice", list: wrongActions},
	"addresses":          {looks: "host:port each, none twice", list: wrongAddresses},
	"amount":             {looks: "an amount such as 300 or 300.50", text: wrongAmount},
	"base URLs":          {looks: "http or https each, none twice", list: wrongBaseURLs},
	"codes":              {looks: "none of them empty", list: wrongCodes},
	"currency":           matching(`([A-Z]{3}|any)?`, `three capital letters, any (nothing is checked), or "" (the country's)`),
	"decimals":           matching(`[0-8]?`, `a whole number from 0 to 8, or "" (the currency's)`),
	"different texts":    {looks: "different texts, none of them empty", list: wrongTexts},
	"digits":             matching(`[0-9]+`, "digits only"),
	"listen address":     {looks: "host:port or :port", text: wrongListenAddress},
	"merchant name":      {looks: "1 to 64 of A-Z a-z 0-9 _ . -", text: wrongMerchantName},
	"namespace":          matching(`[A-Za-z0-9._:-]{1,64}`, "1 to 64 of A-Z a-z 0-9 . _ : -"),
	"no query":           {looks: "without user, ? and #", text: wrongBaseURL},
	"path":               {looks: `a path such as /v1/paypro/payout, or ""`, text: wrongPath},
	"payee field":        {looks: "a letter, then letters, digits, _", text: wrongFieldName},
	"regular expression": {looks: "a regular expression as Go knows them", text: wrongPattern},
	"topic":              {looks: "1 to 249 of A-Z a-z 0-9 . _ -", text: wrongTopic},
	"URL":                {looks: "http or https", text: wrongURL},
}

// matching is the format of texts that match a whole regular expression.
func matching(pattern, looks string) format {
	whole := regexp.MustCompile("^(" + pattern + ")$")
	return format{looks: looks, text: func(text string) string { return unless(whole.MatchString(text), "must be "+looks) }}
}

// unless is what is wrong, if it is.
func unless(good bool, wrong string) string {
	if good {
		return ""
	}
	return wrong
}

var (
	topicName    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	merchantName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	fieldName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	pathText     = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*/?$`)
)

func wrongTopic(text string) string {
	good := topicName.MatchString(text) && strings.Trim(text, ".") != ""
	return unless(good, "must be a topic name: 1 to 249 of A-Z a-z 0-9 . _ -")
}

func wrongMerchantName(text string) string {
	return unless(merchantName.MatchString(text), "must have a name of 1 to 64 of A-Z a-z 0-9 _ . -")
}

func wrongFieldName(text string) string {
	return unless(fieldName.MatchString(text), "must be named as the provider names it: a letter, then letters, digits, _")
}

func wrongPath(text string) string {
	good := pathText.MatchString(text) && !strings.Contains(text, "..")
	return unless(good, `must be a path such as /v1/paypro/payout, or ""`)
}

func wrongPattern(text string) string {
	_, err := regexp.Compile(text)
	return unless(err == nil, "must be a regular expression as Go knows them (no look-ahead)")
}

func wrongAmount(text string) string {
	if text == "" {
		return ""
	}
	if _, err := money.Parse(text); err != nil {
		return err.Error()
	}
	return ""
}

func wrongURL(text string) string {
	_, good := webURL(text)
	return unless(good, "must be an absolute URL such as https://host/path")
}

// wrongBaseURL looks for what would stand before or behind the paths of the calls.
func wrongBaseURL(text string) string {
	u, good := webURL(text)
	bare := !good || u.User == nil && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery
	return unless(bare, "must have no user, no ? and no #")
}

func webURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func wrongListenAddress(text string) string {
	_, port, err := net.SplitHostPort(text)
	return unless(err == nil && isPort(port, 0), "must be host:port or :port") // 0: any free one, for tests
}

// wrongAddresses names the place of the bad one only: a password may stand in it.
func wrongAddresses(list []string) string {
	if bad := slices.IndexFunc(list, func(s string) bool { return !isAddress(s) }); bad >= 0 {
		return fmt.Sprintf("must be host:port each, number %d is not", bad+1)
	}
	return unless(!repeats(list), "names an address twice")
}

// isAddress tells a host:port that can be dialled.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isPort(port, 1) && host != "" && !strings.ContainsAny(host, "/@ ")
}

func isPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

func wrongActions(list []string) string {
	other := slices.ContainsFunc(list, func(word string) bool { return !slices.Contains(acts.NeedTwo, word) })
	return unless(!other && !repeats(list), "must be of "+strings.Join(acts.NeedTwo, ", ")+"; none twice")
}

func wrongTexts(list []string) string {
	return unless(!slices.Contains(list, "") && !repeats(list), "must be different texts, none of them empty")
}

func wrongCodes(list []string) string {
	return unless(!slices.Contains(list, ""), "must not have an empty code")
}

func repeats(list []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) < len(list)
}
