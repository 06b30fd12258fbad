package paysim

import (
	"maps"
	"slices"
	"time"
)

// op is one of Paypro's calls.
type op int

const (
	opPayout op = iota
	opQuery
	opBalance
	ops // how many there are
)

func (o op) String() string { return [ops]string{"payout", "query", "balance"}[o] }

// endpoint is one call of one country.
type endpoint struct {
	paths    []string
	stamped  bool // a 13-digit timestamp is documented as required
	unsigned bool // neither body nor sign is documented
}

// on is a documented endpoint.
func on(path string) endpoint { return endpoint{paths: []string{path}, stamped: true} }

// guessed is an endpoint whose page could not be read [U]: the common path, and
// where the country has a prefix of its own also the one by analogy.
func guessed(paths ...string) endpoint { return endpoint{paths: paths} }

const (
	commonPayout  = "/v1/paypro/payout"
	capitalPayout = "/v1/paypro/payOut"
	commonQuery   = "/v1/paypro/queryPayOutResult"
	commonBalance = "/v1/paypro/queryBalance"
)

// style is how a country's replies spell amounts.
type style int

const (
	textAmount   style = iota // amount as text (page brazil/payoutQuery; Egypt, Pakistan, Vietnam, Nigeria not visible)
	numberAmount              // amount as a number, 3.0000 (page kenya/payoutQuery)
	twoAmounts                // orderAmount and payAmount as "300.00" (pages indonesia/ and mexico/payoutQuery)
)

// profile is what the pages of one country say.
type profile struct {
	calls           [ops]endpoint
	signIn          string
	fields          []rule // of a payout, besides tradeNo, amount and timestamp
	whole           bool   // amounts take no decimals
	lowest, highest string
	zone            *time.Location
	amounts         style
	serialNumber    bool // the payout reply's name for platFormTradeNo (page kenya/payout)
	shortAvailable  bool // availablAmount (pages indonesia/ and mexico/balance)
	numberBalance   bool // balances as numbers (pages mexico/ and brazil/balance)
	textEnvelope    bool // timestamp and success as text in the balance reply (page pakistan/balance)
}

// Countries are the names a Merchant's Country may have.
func Countries() []string { return slices.Sorted(maps.Keys(countries)) }

// hours is a country's local time, which successTime is written in without a zone.
// Fixed offsets: the summer times of Egypt and of parts of Mexico are left out.
func hours(east float64) *time.Location { return time.FixedZone("", int(east*3600)) }

var countries = map[string]*profile{
	"egypt": { // pages egypt/payout, egypt/payoutQuery; balance [U]
		calls:  [ops]endpoint{on(capitalPayout), on(commonQuery), guessed(commonBalance)},
		fields: []rule{some("customerName"), some("walletId"), some("notifyUrl"), some("remark")},
		whole:  true, lowest: "100", highest: "10000",
		zone: hours(2),
	},
	"brazil": { // pages brazil/payout, payoutQuery, balance; the older ones sign in the header
		calls:  [ops]endpoint{on(commonPayout), on(commonQuery), on(commonBalance)},
		signIn: inHeader,
		fields: []rule{some("name"), some("email"), some("mobile"), some("bankNumber"), some("userIdentity"),
			oneOf("bankType", "CPF", "CNPJ", "EMAIL", "PHONE", "EVP"), oneOf("identityType", "CPF", "CNPJ"),
			some("notifyUrl"), some("remark")},
		zone: hours(-3), numberBalance: true,
	},
	"indonesia": { // pages indonesia/payout, payoutQuery, balance
		calls: [ops]endpoint{on(capitalPayout), on(commonQuery), on(commonBalance)},
		fields: []rule{some("customerName"), some("email"), some("bankAccountNo"), some("bankCode"), some("notifyUrl"),
			digitsFrom("mobile", 10, 13, "08", "628")},
		whole: true,
		zone:  hours(7), amounts: twoAmounts, shortAvailable: true,
	},
	"pakistan": { // pages pakistan/payout, payoutQuery, balance
		calls: [ops]endpoint{on("/v1/payproPK/payout"), on("/v1/payproPK/queryPayOutResult"), on("/v1/payproPK/queryBalance")},
		fields: []rule{some("name"), some("email"), some("bankName"), some("bankNumber"),
			digitsFrom("customerCert", 13, 13, ""), digitsFrom("mobile", 10, 10, "3"), oneOf("accountType", "BANK", "WALLET"),
			some("notifyUrl"), some("remark")},
		whole: true, lowest: "1",
		zone: hours(5), textEnvelope: true,
	},
	"philippines": { // page philippines/balance; the payout's fields only from the sister site, its path and the query's [U]
		calls:  [ops]endpoint{guessed(commonPayout), guessed(commonQuery), on(commonBalance)},
		fields: []rule{some("accountName"), some("bankName"), some("bankNumber"), some("notifyUrl")},
		zone:   hours(8),
	},
	"india": { // page india/payout; query and balance [U]
		calls: [ops]endpoint{on(commonPayout), guessed(commonQuery), guessed(commonBalance)},
		fields: []rule{some("ipAddress"), some("name"), some("email"), some("bankNumber"), some("notifyUrl"),
			digitsFrom("mobile", 10, 10, "6", "7", "8", "9"), ifsc},
		zone: hours(5.5),
	},
	"kenya": { // pages kenya/payout, payoutQuery (no timestamp documented); balance [U]
		calls:  [ops]endpoint{on("/api/payout"), guessed("/api/queryPayOutResult"), guessed(commonBalance, "/api/queryBalance")},
		fields: []rule{digitsFrom("mobile", 12, 12, "2541", "2547")},
		whole:  true,
		zone:   hours(3), amounts: numberAmount, serialNumber: true,
	},
	"mexico": { // pages mexico/payout, payoutQuery, balance (no body, no sign)
		calls: [ops]endpoint{on(capitalPayout), on(commonQuery), {paths: []string{commonBalance}, unsigned: true}},
		fields: []rule{some("wayCode"), some("customerName"), some("customerAccount"), some("notifyUrl"),
			oneOf("customerAccountType", "DebitCard", "CLABE")},
		whole: true,
		zone:  hours(-6), amounts: twoAmounts, shortAvailable: true, numberBalance: true,
	},
	"bangladesh": { // page bengal/payout; query and balance [U]
		calls: [ops]endpoint{on(commonPayout), guessed(commonQuery), guessed(commonBalance)},
		fields: []rule{some("walletId"), some("notifyUrl"),
			oneOf("wayCode", "EWALLET_BKASH", "EWALLET_ROCKET", "EWALLET_NAGAD")},
		zone: hours(6),
	},
	"nigeria": { // pages nigeria/payoutQuery, balance; the payout's path and fields [U]
		calls: [ops]endpoint{guessed(commonPayout), on(commonQuery), on(commonBalance)},
		zone:  hours(1),
	},
	"vietnam": { // pages vietnam/payout, payoutQuery; balance [U]
		calls: [ops]endpoint{on("/v1/payproVN/payout"), on("/v1/payproVN/queryPayOutResult"),
			guessed(commonBalance, "/v1/payproVN/queryBalance")},
		fields: []rule{latin("accountName"), some("bankName"), some("bankNumber"), some("notifyUrl")},
		whole:  true, lowest: "50000",
		zone: hours(7),
	},
	"south_korea": { // page SouthKorea/balance; payout and query [U]
		calls: [ops]endpoint{guessed(commonPayout), guessed(commonQuery), on(commonBalance)},
		zone:  hours(9),
	},
}
