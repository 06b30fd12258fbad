package paypro

import (
	"disburser/payout/money"
)

// This file is the one place for what differs between countries. It follows the
// provider's page <country>/payout and its neighbours; where pages disagree or
// say nothing, a doubt says so, and every merchant prints its doubts at start-up.

// required is a field without a rule, optional one that may be missing too.
var (
	required = Field{Required: true}
	optional = Field{}
)

// oneOf is a required field with a closed list.
func oneOf(values ...string) Field { return Field{Required: true, OneOf: values} }

// shaped is a required field with a pattern and the words for it.
func matching(pattern, rule string) Field { return Field{Required: true, Pattern: pattern, Rule: rule} }

// limit is an amount that stands in this file.
func mustAmount(amount string) money.Amount {
	a, err := money.Parse(amount)
	if err != nil {
		panic("paypro: countries.go: amount " + amount + " " + err.Error())
	}
	return a
}

// Paths as most countries have them. Upper and lower case differ by page.
const (
	sendUpper   = "/v1/paypro/payOut"
	sendLower   = "/v1/paypro/payout"
	queryPath   = "/v1/paypro/queryPayOutResult"
	balancePath = "/v1/paypro/queryBalance"
)

// usualReply holds for the countries whose balance is spelled in full, and whose
// query says amount. All spellings that any country uses are accepted: what was
// paid and who the provider calls what decide nothing.
var commonNames = replyNames{
	platformNo: []string{"platFormTradeNo", "platformTradeNo", "serialNumber"},
	paid:       []string{"amount", "payAmount"},
	text:       []string{"desc", "message"},
	available:  []string{"availableAmount", "availablAmount"},
}

// orderAndPaid is for Indonesia and Mexico: orderAmount was ordered and payAmount
// paid, and the balance lacks its second e (indonesia/payoutQuery, mexico/balance).
var twoAmountNames = replyNames{
	platformNo: commonNames.platformNo,
	paid:       []string{"payAmount", "amount"},
	text:       commonNames.text,
	available:  commonNames.available,
}

// everywhere is what no page of any country settles.
var commonQuestions = []openQuestion{
	{"salt", "no page of the provider shows whether the secret goes after the text (salt: suffix) or before it: " +
		"check --connect against the sandbox tells"},
	{"reply", "what a query answers for an unknown tradeNo, and a payout for a repeated one, is on no page"},
}

// Doubts that several countries share.
var (
	guessedSend    = openQuestion{"paths.send", "paths.send: on no page; " + sendLower + " is a guess after its neighbours"}
	guessedQuery   = openQuestion{"paths.query", "paths.query: on no page; " + queryPath + " is a guess after its neighbours"}
	guessedBalance = openQuestion{"paths.balance", "paths.balance: on no page; a guess after its neighbours"}
	guessedSign    = openQuestion{"sign_in", "sign_in: where the sign of some calls goes is on no page; the body is a guess after its neighbours"}
	unknownPayee   = openQuestion{"payee", "fields: no page names the payee fields; whatever a command has is sent unchecked"}
)

var countries = []profile{
	{
		name: "egypt", currency: "EGP", verified: true,
		paths:  Paths{sendUpper, queryPath, balancePath},
		signIn: signBody,
		fields: map[string]Field{
			"customerName": required,
			"walletId":     required, // the sample's 11 digits are no rule
		},
		amount:         amountRule{whole: true, min: mustAmount("100"), max: mustAmount("10000")}, // "adjustable" per merchant
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
			"bankCode":      required, // 0002: its leading zeros matter
		},
		amount:      amountRule{whole: true},
		jsonNumbers: true, // table: float and integer; sample: JSON numbers
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
			"customerCert": matching(`\d{13}`, "must be 13 digits without dashes"), // "strictly checked"; the printed pattern has 12 places
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
			"bankNumber":  required, // the sample's 11 digits from 09 are no rule
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
			"ipAddress":  required, // in the table, not in the sample
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
		amount:                amountRule{whole: true}, // "above 50 recommended" is no limit
		queryWithoutTimestamp: true,                    // kenya/payoutQuery documents tradeNo and sign only
		tradeNoOptional:       true,                    // kenya/payoutQuery: the sample's answer has a tradeNo, its table has none
		reply: replyNames{
			platformNo: []string{"serialNumber", "platFormTradeNo", "platformTradeNo"}, // payout's reply; the query's has the usual name
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
			"customerAccount":     required, // 16 or 18 digits by its type: a rule across fields, the provider's to check
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
