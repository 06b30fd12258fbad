package paypro

import (
	"disburser/payout/money"
)

// This file holds everything that differs between countries. It follows the pages
// <country>/payout, payoutQuery, balance and overview (paypro-api.md §3 and §4). Where pages
// contradict each other or say nothing, an openQuestion says so. Every merchant logs its open
// questions at start-up.

// required is a field without a rule. optional is a field that may be missing.
var (
	required = Field{Required: true}
	optional = Field{}
)

// oneOf is a required field with a list of allowed values.
func oneOf(values ...string) Field { return Field{Required: true, OneOf: values} }

// matching is a required field with a pattern; rule says the pattern in words.
func matching(pattern, rule string) Field { return Field{Required: true, Pattern: pattern, Rule: rule} }

// mustAmount is an amount written in this file.
func mustAmount(amount string) money.Amount {
	a, err := money.Parse(amount)
	if err != nil {
		panic("paypro: countries.go: amount " + amount + " " + err.Error())
	}
	return a
}

// The paths of most countries. Their letter case differs by page (paypro-api.md §1).
const (
	sendUpper   = "/v1/paypro/payOut"
	sendLower   = "/v1/paypro/payout"
	queryPath   = "/v1/paypro/queryPayOutResult"
	balancePath = "/v1/paypro/queryBalance"
)

// commonNames are the names in the answers of most countries: the paid amount is called amount.
// The spellings of all other countries are accepted too, because nothing is decided by these
// values.
var commonNames = replyNames{
	platformNo: []string{"platFormTradeNo", "platformTradeNo", "serialNumber"},
	paid:       []string{"amount", "payAmount"},
	text:       []string{"desc", "message"},
	available:  []string{"availableAmount", "availablAmount"},
}

// twoAmountNames are for Indonesia and Mexico, where orderAmount is the ordered amount and
// payAmount the paid one (indonesia/payoutQuery, mexico/payoutQuery).
var twoAmountNames = replyNames{
	platformNo: commonNames.platformNo,
	paid:       []string{"payAmount", "amount"},
	text:       commonNames.text,
	available:  commonNames.available,
}

// commonQuestions are open for every country.
var commonQuestions = []openQuestion{
	{"salt", "no page of the provider shows whether the secret goes after the text (salt: suffix) or before it: " +
		"check --connect against the sandbox tells"},
	{"reply", "what a query answers for an unknown tradeNo, and a payout for a repeated one, is on no page"},
}

// Open questions that several countries share.
var (
	guessedSend    = openQuestion{"paths.send", "paths.send: on no page; " + sendLower + " is a guess, taken from the other countries"}
	guessedQuery   = openQuestion{"paths.query", "paths.query: on no page; " + queryPath + " is a guess, taken from the other countries"}
	guessedBalance = openQuestion{"paths.balance", "paths.balance: on no page; a guess, taken from the other countries"}
	guessedSign    = openQuestion{"sign_in", "sign_in: where the sign of some calls goes is on no page; the body is a guess, taken from the other countries"}
	unknownPayee   = openQuestion{"payee", "fields: no page names the payee fields; whatever a command has is sent unchecked"}
)

// countries are the profiles of all countries.
var countries = []profile{
	{
		name: "egypt", currency: "EGP", verified: true,
		paths:  Paths{sendUpper, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"customerName": required,
			"walletId":     required, // the sample has 11 digits, but no rule says so
		},
		amount:         amountRule{whole: true, min: mustAmount("100"), max: mustAmount("10000")}, // egypt/payout: the provider adjusts the limits per merchant
		remarkRequired: true,
		reply:          commonNames,
		openQuestions:  []openQuestion{guessedBalance},
	},
	{
		name: "brazil", currency: "BRL", verified: true, sandbox: "https://sandbox-api.paypro.tech/brz-pay",
		paths:  Paths{sendLower, queryPath, balancePath},
		signIn: signHeader,
		fields: map[string]Field{
			"name":         required,
			"email":        required,
			"mobile":       required,
			"bankType":     oneOf("CPF", "CNPJ", "EMAIL", "PHONE", "EVP"), // the kind of PIX key
			"bankNumber":   required,                                      // the PIX key itself
			"identityType": oneOf("CPF", "CNPJ"),
			"userIdentity": required,
		},
		remarkRequired: true,
		reply:          commonNames,
		openQuestions: []openQuestion{
			{"sign_in", "sign_in: the older pages of Brazil (payout, payoutQuery, balance) put the sign in a header, " +
				"the later ones of payout and balance in the body; header is used"},
			{"amount", "amount: no page says whether a fraction is taken, nor any limit"},
		},
	},
	{
		name: "indonesia", currency: "IDR", verified: true, sandbox: "https://openapi-test.paypro.tech/indonesia-pay",
		paths:  Paths{sendUpper, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"customerName":  required,
			"mobile":        matching(`08\d{8,11}|628\d{7,10}`, "must start with 08 or 628 and have 10 to 13 digits"),
			"email":         required,
			"bankAccountNo": required,
			"bankCode":      required, // such as 0002: keep the leading zeros
		},
		amount:      amountRule{whole: true},
		jsonNumbers: true, // indonesia/payout: float and integer in the table, JSON numbers in the sample
		reply:       twoAmountNames,
		openQuestions: []openQuestion{
			{"numbers", "amount and timestamp go as JSON numbers, as the page's sample has them; " +
				"which text of a number the provider signs is on no page (we sign its digits)"},
		},
	},
	{
		name: "pakistan", currency: "PKR", verified: true, sandbox: "https://sandbox-api.paypro.tech/pak-pay",
		paths:  Paths{"/v1/payproPK/payout", "/v1/payproPK/queryPayOutResult", "/v1/payproPK/queryBalance"},
		signIn: signBody,
		fields: map[string]Field{
			"name":         required,
			"customerCert": matching(`\d{13}`, "must be 13 digits without dashes"), // pakistan/payout: "strictly checked"; its printed pattern has 12 places
			"email":        required,
			"mobile":       matching(`3\d{9}`, "must be 10 digits starting with 3"),
			"accountType":  oneOf("BANK", "WALLET"),
			"bankName":     required,
			"bankNumber":   required,
		},
		amount:         amountRule{whole: true, min: mustAmount("1")},
		remarkRequired: true,
		reply:          commonNames,
		openQuestions: []openQuestion{
			{"timestamp", "timestamp: the text of pakistan/payout wants milliseconds (13 digits, sent), its sample has seconds"},
			{"fields", "payee.customerCert: 13 digits as in the sample; the pattern printed beside it has 12"},
		},
	},
	{
		// Only the sister site's payout page could be read.
		name: "philippines", currency: "PHP",
		paths:  Paths{sendLower, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"accountName": required,
			"bankName":    required,
			"bankNumber":  required, // the sample has 11 digits from 09, but no rule says so
		},
		reply: commonNames,
		openQuestions: []openQuestion{
			guessedSend, guessedQuery, guessedSign,
			{"fields", "fields: only the sister site docs.vexora.com names accountName, bankName, bankNumber"},
		},
	},
	{
		name: "india", currency: "INR",
		paths:  Paths{sendLower, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"ipAddress":  required, // india/payout: in the table, not in the sample
			"name":       required,
			"mobile":     matching(`(91)?[6-9]\d{9}`, "must be 10 digits starting with 6 to 9"),
			"email":      required,
			"bankNumber": required,
			"bankNCode":  matching(`[0-9A-Za-z]{11}`, "must be an IFSC of 11 letters and digits"),
		},
		reply: commonNames,
		openQuestions: []openQuestion{
			guessedQuery, guessedBalance, guessedSign,
			{"fields", "payee.bankNCode: called so in the table of india/payout and bankCode in its sample; " +
				"payee.ipAddress: required by the table, missing from the sample; " +
				"payee.mobile: no 91 before it by the table, 91 in the sample (both are taken)"},
		},
	},
	{
		name: "kenya", currency: "KES", verified: true,
		paths:                 Paths{"/api/payout", "/api/queryPayOutResult", "/api/queryBalance"},
		signIn:                signBody,
		fields:                map[string]Field{"mobile": matching(`254[17]\d{8}`, "must be 12 digits starting with 2541 or 2547")},
		amount:                amountRule{whole: true}, // kenya/payout recommends more than 50, which is no limit
		queryWithoutTimestamp: true,                    // kenya/payoutQuery documents tradeNo and sign only
		tradeNoOptional:       true,                    // kenya/payoutQuery: its sample has a tradeNo, its table has none
		reply: replyNames{
			platformNo: []string{"serialNumber", "platFormTradeNo", "platformTradeNo"}, // in the answer to a payout; a query's has the common name
			paid:       commonNames.paid,
			text:       commonNames.text,
			available:  commonNames.available,
		},
		openQuestions: []openQuestion{
			guessedBalance,
			{"timestamp", "query: kenya/payoutQuery documents no timestamp, none is sent"},
			{"reply", "query: the table of kenya/payoutQuery lists no tradeNo in the answer; an outcome without one is believed"},
		},
	},
	{
		name: "mexico", currency: "MXN", verified: true, sandbox: "https://openapi-sa-test.paypro.tech/mex-pay",
		paths:  Paths{sendUpper, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"wayCode":             required,
			"customerName":        required,
			"customerAccountType": oneOf("DebitCard", "CLABE"),
			"customerAccount":     required, // 16 or 18 digits by type: a rule across fields, which the provider checks
			"customerMobile":      optional,
			"customerEmail":       optional,
			"identity":            optional,
		},
		amount:            amountRule{whole: true},
		balanceHeaderOnly: true, // mexico/balance lists the merchantNo header only
		reply:             twoAmountNames,
		openQuestions: []openQuestion{
			{"balance", "balance: mexico/balance lists neither body nor sign, none is sent; so it doesn't prove the signature"},
		},
	},
	{
		name: "bangladesh", currency: "BDT",
		paths:  Paths{sendLower, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"walletId": required,
			"wayCode":  oneOf("EWALLET_BKASH", "EWALLET_ROCKET", "EWALLET_NAGAD"),
		},
		reply:         commonNames,
		openQuestions: []openQuestion{guessedQuery, guessedBalance, guessedSign},
	},
	{
		// nigeria/payout could not be read.
		name: "nigeria", currency: "NGN",
		paths:         Paths{sendLower, queryPath, balancePath},
		signIn:        signBody,
		anyPayee:      true,
		reply:         commonNames,
		openQuestions: []openQuestion{guessedSend, guessedSign, unknownPayee},
	},
	{
		name: "vietnam", currency: "VND", verified: true, sandbox: "https://openapi-test.paypro.tech/vietnam-pay",
		paths:  Paths{"/v1/payproVN/payout", "/v1/payproVN/queryPayOutResult", "/v1/payproVN/queryBalance"},
		signIn: signBody,
		fields: map[string]Field{
			"accountName": matching(`[A-Za-z .,'&()/-]+`, "must be Latin letters without Vietnamese marks"),
			"bankName":    required,
			"bankNumber":  required,
		},
		amount: amountRule{whole: true, min: mustAmount("50000")},
		reply:  commonNames,
		openQuestions: []openQuestion{
			guessedBalance,
			{"country", "Vietnam is no longer in the menu of the provider's pages"},
		},
	},
	{
		// SouthKorea/payout could not be read.
		name: "south_korea", currency: "KRW",
		paths:    Paths{sendLower, queryPath, balancePath},
		signIn:   signBody,
		anyPayee: true,
		reply:    commonNames,
		openQuestions: []openQuestion{
			guessedSend, guessedQuery, guessedSign, unknownPayee,
			{"fields", "payee.subMerchantNo: required for pay-ins (SouthKorea/paymentPage), unknown for payouts; " +
				"an integrator of the sister brand sends it on every call: if the provider wants that, set extra"},
		},
	},
}
