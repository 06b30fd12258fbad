package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"disburser/message"
	"disburser/payout/money"
	"disburser/payout/secrets"
)

var (
	merchantName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	merchantNo   = regexp.MustCompile(`^[0-9]+$`)
	currencyName = regexp.MustCompile(`^([A-Z]{3}|any)?$`)
	fieldName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	decimalsText = regexp.MustCompile(`^[0-8]?$`)
	pathText     = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*/?$`)
)

// merchantNoDigits is what the pages say; two of them then show seven.
const merchantNoDigits = 10

func readMerchant(r *reader, v value) Merchant {
	m, file := DefaultMerchant(), ""
	section(m.keys().and(keys{"secret_file": text(&file)}))(r, v)
	if file == "" {
		return m
	}
	path := v.path + ".secret_file"
	if !m.Secret.IsEmpty() {
		r.bad(path, "must not stand together with secret")
		return m
	}
	content, err := r.rules.ReadFile(file)
	if err != nil {
		r.bad(path, "can't be read: %v", cause(err))
		return m
	}
	// Editors and echo end a file with a newline, which is not part of the key.
	key := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if key == "" {
		r.bad(path, "is an empty file")
	}
	m.Secret = secrets.New(key)
	return m
}

// cause is a file error less the name, which may come from a variable.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return errors.New("unknown reason")
}

func readField(r *reader, v value) Field {
	var f Field
	if v.node.Kind != yaml.ScalarNode {
		section(f.keys())(r, v)
		return f
	}
	word, ok := r.text(v, "text")
	if !ok {
		return f
	}
	r.must(slices.Contains([]string{"required", "optional", "drop"}, word), v.path, "must be required, optional, drop, or a mapping of rules")
	return Field{Required: word == "required", Drop: word == "drop"}
}

func readText(r *reader, v value) string {
	var one string
	link(&one)(r, v) // no message shows it: it may be a key
	return one
}

func (r *reader) checkMerchants(merchants map[string]Merchant) {
	r.must(len(merchants) > 0, "merchants", "must name at least one merchant")
	accounts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		m, path := merchants[name], "merchants."+name
		r.must(merchantName.MatchString(name), path, "must have a name of 1 to 64 of A-Z a-z 0-9 _ . -")
		r.checkAccount(m, path)
		r.checkAddresses(m, path)
		r.checkContent(m, path)
		r.checkFields(m.Fields, path+".fields.")
		r.checkPace(m, path)
		r.checkNoRecord(m.NoRecord, path+".no_record.")
		r.checkTooFast(m, path+".too_fast.codes")
		r.checkDeeper(name, m)
		r.checkShared(m, name, accounts)
	}
}

func (r *reader) checkAccount(m Merchant, path string) {
	r.required(path+".country", m.Country != "")
	r.checkCountry(m, path)
	no := path + ".merchant_no"
	r.required(no, m.MerchantNo != "")
	r.must(merchantNo.MatchString(m.MerchantNo), no, "must be digits only")
	if merchantNo.MatchString(m.MerchantNo) && len(m.MerchantNo) != merchantNoDigits {
		r.warn(no, fmt.Sprintf("has %d digits, the provider's pages say %d", len(m.MerchantNo), merchantNoDigits))
	}
	if r.silenced(path + ".secret_file") { // there is one, and its problem is told: nobody has to put a secret beside it
		r.told[path+".secret"] = true
	}
	r.required(path+".secret", !m.Secret.IsEmpty())
	r.must(currencyName.MatchString(m.Currency), path+".currency", `must be three capital letters, any (nothing is checked), or "" (the country's)`)
	r.oneOf(path+".salt", m.Salt, "suffix", "prefix")
	r.oneOf(path+".sign_in", m.SignIn, "", "body", "header", "both")
}

func (r *reader) checkCountry(m Merchant, path string) {
	if r.rules.Countries == nil {
		return
	}
	needsAccept, known := r.rules.Countries[m.Country]
	if !known && m.Country != "" {
		r.bad(path+".country", "%s", r.unlike(path+".country", m.Country, slices.Sorted(maps.Keys(r.rules.Countries))))
	}
	r.must(!needsAccept || m.AcceptUnverified, path+".accept_unverified",
		"must be true for %s, where paths or payee fields are undocumented (set them first as the provider told them)", m.Country)
}

func (r *reader) checkAddresses(m Merchant, path string) {
	const absolute = "must be an absolute URL such as https://host/path"
	r.required(path+".base_url", m.BaseURL != "")
	base, ok := webURL(m.BaseURL)
	r.must(ok, path+".base_url", absolute)
	if ok {
		bare := base.User == nil && base.RawQuery == "" && base.Fragment == "" && !base.ForceQuery
		r.must(bare, path+".base_url", "must have no user, no ? and no #")
		if base.Scheme == "http" && !isLoopback(base.Hostname()) {
			r.warn(path+".base_url", "is http: payees' data and signatures travel in clear")
		}
	}
	r.required(path+".notify_url", m.NotifyURL != "")
	_, ok = webURL(m.NotifyURL)
	r.must(ok, path+".notify_url", absolute)
	for _, p := range [][2]string{{"send", m.Paths.Send}, {"query", m.Paths.Query}, {"balance", m.Paths.Balance}} {
		ok := pathText.MatchString(p[1]) && !strings.Contains(p[1], "..")
		r.must(ok, path+".paths."+p[0], `must be a path such as /v1/paypro/payout, or ""`)
	}
}

func webURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func (r *reader) checkContent(m Merchant, path string) {
	least, okMin := r.checkAmount(m.Amount.Min, path+".amount.min")
	most, okMax := r.checkAmount(m.Amount.Max, path+".amount.max")
	if okMin && okMax {
		r.must(least.Compare(most) <= 0, path+".amount.max", "must not be less than min")
	}
	r.must(decimalsText.MatchString(m.Amount.Decimals), path+".amount.decimals", `must be a whole number from 0 to 8, or "" (the currency's)`)
	r.oneOf(path+".contradiction", m.Contradiction, "announce", "hold")
	r.oneOf(path+".unknown_status", m.UnknownStatus, "hold", "fail")
	if m.UnknownStatus == "fail" {
		r.warn(path+".unknown_status", "fail calls a code failed that no page names: where that is wrong, people pay a second time")
	}
}

// checkAmount returns the amount if there is a good one.
func (r *reader) checkAmount(text, path string) (money.Amount, bool) {
	if text == "" {
		return money.Amount{}, false
	}
	amount, err := money.Parse(text)
	if err != nil {
		r.must(false, path, "%v", err)
	}
	return amount, err == nil
}

func (r *reader) checkFields(fields map[string]Field, path string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f, key := fields[name], path+name
		r.must(fieldName.MatchString(name), key, "must be named as the provider names it: a letter, then letters, digits, _")
		r.must(!f.Drop || !f.Required && f.Pattern == "" && len(f.OneOf) == 0 && f.MaxLen == 0, key, "must not be dropped and have other rules too")
		_, err := regexp.Compile(f.Pattern)
		r.must(err == nil, key+".pattern", "must be a regular expression as Go knows them (no look-ahead)")
		r.must(f.MaxLen >= 0 && f.MaxLen <= message.MaxPayeeField, key+".max_len", "must be from 0 to %d", message.MaxPayeeField)
		r.must(!slices.Contains(f.OneOf, "") && !repeats(f.OneOf), key+".one_of", "must be different texts, none of them empty")
	}
}

func (r *reader) checkPace(m Merchant, path string) {
	r.must(m.Timeout > 0, path+".timeout", aboveZero)
	r.must(m.Send.Rate > 0, path+".send.rate", aboveZero)
	r.must(m.Send.Burst >= 1, path+".send.burst", aboveZero)
	r.must(m.Query.Rate > 0, path+".query.rate", aboveZero)
	r.must(m.Query.Burst >= 1, path+".query.burst", aboveZero)
	p := m.Poll
	r.must(p.First > 0, path+".poll.first", aboveZero)
	r.must(p.Factor >= 1, path+".poll.factor", "must be 1 or more")
	r.must(p.Max >= p.First, path+".poll.max", "must not be less than first (%v)", brief(p.First))
	r.must(p.GiveUp > p.Max, path+".poll.give_up", "must be more than max (%v)", brief(p.Max))
}

func (r *reader) checkNoRecord(n NoRecord, path string) {
	r.must(n.Answers >= 1, path+"answers", aboveZero)
	r.must(n.Every > 0, path+"every", aboveZero)
	r.oneOf(path+"then", n.Then, "hold", "resend")
	if n.Then == "resend" {
		r.warn(path+"then", "resend needs the provider's word that a tradeNo can't be executed twice; without it people are paid twice")
	}
	some := len(n.Codes) > 0 || n.EmptyData // then no code need say so
	r.must(some && !slices.Contains(n.Codes, ""), path+"codes", "must be one code or more, none of them empty")
	// 0000 would make a lost order of a good answer, 5000 one of a system exception.
	never := slices.Contains(n.Codes, "0000") || slices.Contains(n.Codes, "5000")
	r.must(!never, path+"codes", "must not have 0000 (accepted) or 5000 (outcome unknown)")
}

// checkTooFast: what the codes must not be besides, the provider's package knows.
func (r *reader) checkTooFast(m Merchant, path string) {
	r.must(!slices.Contains(m.TooFast.Codes, ""), path, "must not have an empty code")
	for _, code := range m.TooFast.Codes {
		r.must(!slices.Contains(m.NoRecord.Codes, code), path, "must not have a code that no_record.codes has too: it can't say both")
	}
}

// checkDeeper asks the caller's rules, if there is a country to know rules of.
func (r *reader) checkDeeper(name string, m Merchant) {
	path := "merchants." + name
	if r.rules.CheckMerchant == nil || m.Country == "" || r.silenced(path+".country") {
		return
	}
	for _, p := range r.rules.CheckMerchant(name, m) {
		key := strings.TrimSuffix(path+"."+p.Key, ".")
		if !r.silenced(key) {
			r.add(r.lineOf(key), key, p.Text)
		}
	}
}

// checkShared warns of two merchants with one account: each keeps to its own rate,
// the provider sees the sum.
func (r *reader) checkShared(m Merchant, name string, accounts map[string]string) {
	if m.BaseURL == "" || m.MerchantNo == "" {
		return
	}
	account := strings.ToLower(strings.TrimRight(m.BaseURL, "/")) + " " + m.MerchantNo
	if other, shared := accounts[account]; shared {
		r.warn("merchants."+name+".merchant_no", "with this base_url is also merchants."+other+": together they send at the sum of both rates")
		return
	}
	accounts[account] = name
}
