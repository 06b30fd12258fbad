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
	ops // the number of operations
)

func (o op) String() string { return [ops]string{"payout", "query", "balance"}[o] }

// endpoint is one call of one country.
type endpoint struct {
	paths          []string
	needsTimestamp bool // the page requires a timestamp of 13 digits
	unsigned       bool // the page has neither body nor sign
}

// documentedAt is an endpoint with its documented path.
func documentedAt(path string) endpoint { return endpoint{paths: []string{path}, needsTimestamp: true} }

// guessed is an endpoint whose page could not be read [U]. Its paths are the common one and,
// where the country has a prefix of its own, the one with that prefix.
func guessed(paths ...string) endpoint { return endpoint{paths: paths} }

const (
	commonPayout  = "/v1/paypro/payout"
	capitalPayout = "/v1/paypro/payOut"
	commonQuery   = "/v1/paypro/queryPayOutResult"
	commonBalance = "/v1/paypro/queryBalance"
)

// amountStyle is how a country's answers write amounts.
type amountStyle int

const (
	textAmount   amountStyle = iota // amount as text (page brazil/payoutQuery; Egypt, Pakistan, Vietnam, Nigeria not visible)
	numberAmount                    // amount as a number, 3.0000 (page kenya/payoutQuery)
	twoAmounts                      // orderAmount and payAmount as "300.00" (pages indonesia/ and mexico/payoutQuery)
)

// profile is what the pages of one country say.
type profile struct {
	calls                [ops]endpoint
	signIn               string
	fields               []rule // of a payout, besides tradeNo, amount and timestamp
	wholeAmounts         bool   // amounts have no decimals
	minAmount, maxAmount string
	zone                 *time.Location
	amounts              amountStyle
	serialNumber         bool // the payout's answer says serialNumber, not platFormTradeNo (page kenya/payout)
	shortAvailable       bool // the balance's answer says availablAmount (pages indonesia/ and mexico/balance)
	numberBalance        bool // balances are JSON numbers (pages mexico/ and brazil/balance)
	textEnvelope         bool // timestamp and success are texts in the balance's answer (page pakistan/balance)
}

// Countries returns the names that Merchant.Country may have.
func Countries() []string { return slices.Sorted(maps.Keys(countries)) }

// hours is the local time of a country; successTime is written in it, without a zone. The
// offsets are fixed: summer time in Egypt and parts of Mexico is left out.
func hours(east float64) *time.Location { return time.FixedZone("", int(east*3600)) }

var countries = map[string]*profile{
	"egypt": { // pages egypt/payout, egypt/payoutQuery; balance [U]
		calls:        [ops]endpoint{documentedAt(capitalPayout), documentedAt(commonQuery), guessed(commonBalance)},
		fields:       []rule{required("customerName"), required("walletId"), required("notifyUrl"), required("remark")},
		wholeAmounts: true, minAmount: "100", maxAmount: "10000",
		zone: hours(2),
	},
	"brazil": { // pages brazil/payout, payoutQuery, balance; the older ones sign in the header
		calls:  [ops]endpoint{documentedAt(commonPayout), documentedAt(commonQuery), documentedAt(commonBalance)},
		signIn: inHeader,
		fields: []rule{required("name"), required("email"), required("mobile"), required("bankNumber"), required("userIdentity"),
			oneOf("bankType", "CPF", "CNPJ", "EMAIL", "PHONE", "EVP"), oneOf("identityType", "CPF", "CNPJ"),
			required("notifyUrl"), required("remark")},
		zone: hours(-3), numberBalance: true,
	},
	"indonesia": { // pages indonesia/payout, payoutQuery, balance
		calls: [ops]endpoint{documentedAt(capitalPayout), documentedAt(commonQuery), documentedAt(commonBalance)},
		fields: []rule{required("customerName"), required("email"), required("bankAccountNo"), required("bankCode"), required("notifyUrl"),
			digitsFrom("mobile", 10, 13, "08", "628")},
		wholeAmounts: true,
		zone:         hours(7), amounts: twoAmounts, shortAvailable: true,
	},
	"pakistan": { // pages pakistan/payout, payoutQuery, balance
		calls: [ops]endpoint{documentedAt("/v1/payproPK/payout"), documentedAt("/v1/payproPK/queryPayOutResult"), documentedAt("/v1/payproPK/queryBalance")},
		fields: []rule{required("name"), required("email"), required("bankName"), required("bankNumber"),
			digitsFrom("customerCert", 13, 13, ""), digitsFrom("mobile", 10, 10, "3"), oneOf("accountType", "BANK", "WALLET"),
			required("notifyUrl"), required("remark")},
		wholeAmounts: true, minAmount: "1",
		zone: hours(5), textEnvelope: true,
	},
	"philippines": { // page philippines/balance; the payout's fields only from the sister site, its path and the query's [U]
		calls:  [ops]endpoint{guessed(commonPayout), guessed(commonQuery), documentedAt(commonBalance)},
		fields: []rule{required("accountName"), required("bankName"), required("bankNumber"), required("notifyUrl")},
		zone:   hours(8),
	},
	"india": { // page india/payout; query and balance [U]
		calls: [ops]endpoint{documentedAt(commonPayout), guessed(commonQuery), guessed(commonBalance)},
		fields: []rule{required("ipAddress"), required("name"), required("email"), required("bankNumber"), required("notifyUrl"),
			digitsFrom("mobile", 10, 10, "6", "7", "8", "9"), ifsc},
		zone: hours(5.5),
	},
	"kenya": { // pages kenya/payout, payoutQuery (no timestamp documented); balance [U]
		calls:        [ops]endpoint{documentedAt("/api/payout"), guessed("/api/queryPayOutResult"), guessed(commonBalance, "/api/queryBalance")},
		fields:       []rule{digitsFrom("mobile", 12, 12, "2541", "2547")},
		wholeAmounts: true,
		zone:         hours(3), amounts: numberAmount, serialNumber: true,
	},
	"mexico": { // pages mexico/payout, payoutQuery, balance (no body, no sign)
		calls: [ops]endpoint{documentedAt(capitalPayout), documentedAt(commonQuery), {paths: []string{commonBalance}, unsigned: true}},
		fields: []rule{required("wayCode"), required("customerName"), required("customerAccount"), required("notifyUrl"),
			oneOf("customerAccountType", "DebitCard", "CLABE")},
		wholeAmounts: true,
		zone:         hours(-6), amounts: twoAmounts, shortAvailable: true, numberBalance: true,
	},
	"bangladesh": { // page bengal/payout; query and balance [U]
		calls: [ops]endpoint{documentedAt(commonPayout), guessed(commonQuery), guessed(commonBalance)},
		fields: []rule{required("walletId"), required("notifyUrl"),
			oneOf("wayCode", "EWALLET_BKASH", "EWALLET_ROCKET", "EWALLET_NAGAD")},
		zone: hours(6),
	},
	"nigeria": { // pages nigeria/payoutQuery, balance; the payout's path and fields [U]
		calls: [ops]endpoint{guessed(commonPayout), documentedAt(commonQuery), documentedAt(commonBalance)},
		zone:  hours(1),
	},
	"vietnam": { // pages vietnam/payout, payoutQuery; balance [U]
		calls: [ops]endpoint{documentedAt("/v1/payproVN/payout"), documentedAt("/v1/payproVN/queryPayOutResult"),
			guessed(commonBalance, "/v1/payproVN/queryBalance")},
		fields:       []rule{latin("accountName"), required("bankName"), required("bankNumber"), required("notifyUrl")},
		wholeAmounts: true, minAmount: "50000",
		zone: hours(7),
	},
	"south_korea": { // page SouthKorea/balance; payout and query [U]
		calls: [ops]endpoint{guessed(commonPayout), guessed(commonQuery), documentedAt(commonBalance)},
		zone:  hours(9),
	},
}
