package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"disburser/payout/money"
)

// merchantNoDigits is what the provider's pages say, although two of them show seven.
const merchantNoDigits = 10

func (r *reader) checkMerchants(merchants map[string]Merchant) {
	r.must(len(merchants) > 0, "merchants", "must name at least one merchant")
	accounts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		m, path := merchants[name], join("merchants", name)
		r.checkCountry(m, path)
		r.checkMerchantNo(m, path+".merchant_no")
		r.checkPlainHTTP(m, path+".base_url")
		r.checkAmounts(m.Amount, path+".amount.max")
		r.checkUnknownStatus(m, path+".unknown_status")
		r.checkDropped(m.Fields, path+".fields")
		r.checkPoll(m.Poll, path+".poll")
		r.checkNoRecord(m.NoRecord, path+".no_record")
		r.checkTooFast(m, path+".too_fast.codes")
		r.checkDeeper(name, m, path)
		r.checkShared(m, path, accounts)
	}
}

// checkCommands checks what says which commands the merchants take.
func (r *reader) checkCommands(merchants map[string]Merchant) {
	r.must(len(merchants) > 0, "merchants", "must name at least one merchant")
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		m, path := merchants[name], join("merchants", name)
		if _, known := r.rules.Countries[m.Country]; !known && m.Country != "" && r.rules.Countries != nil {
			r.bad(path+".country", "%s", r.unlike(path+".country", m.Country, slices.Sorted(maps.Keys(r.rules.Countries))))
		}
		r.checkAmounts(m.Amount, path+".amount.max")
		r.checkDropped(m.Fields, path+".fields")
		r.checkDeeper(name, m, path)
	}
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

func (r *reader) checkMerchantNo(m Merchant, path string) {
	if len(m.MerchantNo) != merchantNoDigits && !r.silenced(path) {
		r.warn(path, fmt.Sprintf("has %d digits, the provider's pages say %d", len(m.MerchantNo), merchantNoDigits))
	}
}

func (r *reader) checkPlainHTTP(m Merchant, path string) {
	if u, err := url.Parse(m.BaseURL); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) && !r.silenced(path) {
		r.warn(path, "is http: payees' data and signatures travel in clear")
	}
}

func (r *reader) checkAmounts(a Limits, path string) {
	least, errMin := money.Parse(a.Min)
	most, errMax := money.Parse(a.Max)
	if errMin == nil && errMax == nil {
		r.must(least.Compare(most) <= 0, path, "must not be less than min")
	}
}

func (r *reader) checkUnknownStatus(m Merchant, path string) {
	if m.UnknownStatus == "fail" {
		r.warn(path, "fail calls a code failed that no page names: where that is wrong, people pay a second time")
	}
}

func (r *reader) checkDropped(fields map[string]Field, path string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		other := f.Required || f.Pattern != "" || len(f.OneOf) > 0 || f.MaxLen != 0
		r.must(!f.Drop || !other, join(path, name), "must not be dropped and have other rules too")
	}
}

func (r *reader) checkPoll(p Poll, path string) {
	r.must(p.Max >= p.First, path+".max", "must not be less than first (%v)", brief(p.First))
	r.must(p.GiveUp > p.Max, path+".give_up", "must be more than max (%v)", brief(p.Max))
}

func (r *reader) checkNoRecord(n NoRecord, path string) {
	if n.Then == "resend" {
		r.warn(path+".then", "resend needs the provider's word that a tradeNo can't be executed twice; without it people are paid twice")
	}
	some := len(n.Codes) > 0 || n.EmptyData // then no code need say so
	r.must(some && !slices.Contains(n.Codes, ""), path+".codes", "must be one code or more, none of them empty")
	// 0000 would make a lost order of a good answer, 5000 one of a system exception.
	never := slices.Contains(n.Codes, "0000") || slices.Contains(n.Codes, "5000")
	r.must(!never, path+".codes", "must not have 0000 (accepted) or 5000 (outcome unknown)")
}

// checkTooFast compares the codes with those of no_record. What else they must not be, the provider's package knows.
func (r *reader) checkTooFast(m Merchant, path string) {
	for _, code := range m.TooFast.Codes {
		r.must(!slices.Contains(m.NoRecord.Codes, code), path, "must not have a code that no_record.codes has too: it can't say both")
	}
}

// checkDeeper asks the caller's rules, if there is a country to know rules of.
func (r *reader) checkDeeper(name string, m Merchant, path string) {
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

// checkShared warns of two merchants with one account: each has its own rate, the provider sees the sum.
func (r *reader) checkShared(m Merchant, path string, accounts map[string]string) {
	if m.BaseURL == "" || m.MerchantNo == "" {
		return
	}
	account := strings.ToLower(strings.TrimRight(m.BaseURL, "/")) + " " + m.MerchantNo
	if other, shared := accounts[account]; shared {
		r.warn(path+".merchant_no", "with this base_url is also "+other+": together they send at the sum of both rates")
		return
	}
	accounts[account] = path
}
