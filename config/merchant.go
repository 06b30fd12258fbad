package config

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"disburser/payout/secrets"
)

// Merchant is one account at the provider.
type Merchant struct {
	Country    string         `key:"country" required:"true" commands:"true" about:"whose rules hold; the command disburser countries lists them"`
	BaseURL    string         `key:"base_url" required:"true" format:"URL,no query" secret:"true" about:"where the provider is called; from its business contact"`
	MerchantNo string         `key:"merchant_no" required:"true" format:"digits" about:"the account at the provider"`
	Secret     secrets.Secret `key:"secret" required:"true" secret:"true" about:"the key that signs requests; or secret_file, not both"`
	NotifyURL  string         `key:"notify_url" required:"true" format:"URL" secret:"true" about:"where the provider sends its callbacks, which the disburser does not read"`
	Currency   string         `key:"currency" format:"currency" commands:"true" about:"a command with another one is rejected"`

	// At the end is the only place that any page shows (docs/paypro-api.md).
	Salt             string           `key:"salt" default:"suffix" oneof:"suffix,prefix" about:"where the secret stands in the text that is signed"`
	SignIn           string           `key:"sign_in" oneof:",body,header,both" about:"where the signature stands; empty: as in the country"`
	AcceptUnverified bool             `key:"accept_unverified" default:"false" about:"must be true where the country's paths or payee fields are undocumented"`
	Paths            Paths            `key:"paths" about:"paths of the provider's calls, where it told others than the country's"`
	Fields           map[string]Field `key:"fields" names:"payee field" commands:"true" about:"payee fields, where the provider told other rules"`
	Amount           Limits           `key:"amount" commands:"true" about:"which amounts are accepted"`

	// A wrong guess at "failed" invites a second payment.
	UnknownStatus string `key:"unknown_status" rehearsal:"true" default:"hold" oneof:"hold,fail" about:"what a code that no page names does; fail may pay people twice"`
	// The pages don't say in which unit the query's amount is.
	Contradiction string `key:"contradiction" rehearsal:"true" default:"announce" oneof:"announce,hold" about:"what happens to an outcome whose amount or time can't be this payout's; hold, once you know the unit of the query's amount"`
	// The provider answers in one or two seconds. After ten the answer is lost.
	Timeout time.Duration `key:"timeout" rehearsal:"true" default:"10s" above:"0" about:"of one call; disburse.lease must be longer: check says how much"`

	Send Rate `key:"send" rehearsal:"true" default:"rate: 50, burst: 5" about:"how fast payouts are sent; ask the provider what it bears"`
	// Twice the sends: a payout is asked about more than once.
	Query    Rate     `key:"query" rehearsal:"true" default:"rate: 100, burst: 10" about:"how fast outcomes are asked for"`
	Poll     Poll     `key:"poll" rehearsal:"true" about:"when to ask for an outcome"`
	NoRecord NoRecord `key:"no_record" rehearsal:"true" about:"what counts as the provider's word that it knows no such payout"`
	TooFast  TooFast  `key:"too_fast" rehearsal:"true" about:"how the provider says that it is called too often, besides HTTP 429"`
	Extra    Extra    `key:"extra" about:"constant fields that the provider wants on a call besides the country's own, signed like these"`
}

// Paths of the provider's calls.
type Paths struct {
	Send    string `key:"send" format:"path" about:"path of a payout; empty: the country's own"`
	Query   string `key:"query" format:"path" about:"path of a query; empty: the country's own"`
	Balance string `key:"balance" format:"path" about:"path of a balance query; empty: the country's own"`
}

// Field is the rule for one payee field. In the file it may also be one word: required, optional or drop.
type Field struct {
	Required bool     `key:"required" default:"false" about:"whether a command must have it"`
	Pattern  string   `key:"pattern" format:"regular expression" about:"for the whole value; empty: anything"`
	OneOf    []string `key:"one_of" format:"different texts" about:"the values that are allowed; none: anything"`
	MaxLen   int      `key:"max_len" default:"0" min:"0" max:"256" unit:"characters" about:"the longest value; 0: 256"`
	Drop     bool     `key:"drop" default:"false" about:"the country asks for it, this merchant does not; then without other rules"`
}

// Limits are amounts as they are written.
type Limits struct {
	Min      string `key:"min" format:"amount" about:"the least amount; empty: the country's own"`
	Max      string `key:"max" format:"amount" about:"the largest amount, not less than min; empty: the country's own"`
	Decimals string `key:"decimals" format:"decimals" about:"decimals at most; empty: those of the currency (ISO 4217)"`
}

// Rate is for the whole fleet.
type Rate struct {
	Rate  float64 `key:"rate" above:"0" unit:"per second" reload:"true" about:"calls of the whole fleet"`
	Burst int     `key:"burst" above:"0" unit:"calls" reload:"true" about:"how many may leave at once after a pause"`
}

// Poll says when a payout is asked about. The first ask comes First after the send. Each pause after it is Factor times
// the last one, up to Max. From 2 s to 5 min by 1.6 are about ten asks. GiveUp after the first send the payout is held.
type Poll struct {
	// 2s: most payouts are settled by then.
	First  time.Duration `key:"first" default:"2s" above:"0" reload:"true" about:"time from the send to the first ask"`
	Factor float64       `key:"factor" default:"1.6" min:"1" reload:"true" about:"each pause between asks is so many times the last one"`
	Max    time.Duration `key:"max" default:"5m" reload:"true" about:"the longest pause between asks; not less than first"`
	// 72h: a weekend and a bank holiday.
	GiveUp time.Duration `key:"give_up" default:"72h" reload:"true" about:"after this time without an outcome the payout is held (payout.held): a person is needed; the asks go on, slowly; must be more than max"`
	// true: fewer asks, and half of the results come no later.
	Learn bool `key:"learn" default:"true" reload:"true" about:"true: asks at the ages at which earlier payouts settled, within first and max; false: exactly by first, factor and max"`
}

// NoRecord says how often the provider must say that it knows no such payout, how far apart, and what then happens.
type NoRecord struct {
	// 3: one answer may come from a replica that lags.
	Answers int `key:"answers" default:"3" above:"0" about:"so many answers \"no such payout\" count as evidence"`
	// 5m: longer than any replica lags.
	Every time.Duration `key:"every" default:"5m" above:"0" about:"the least time between two answers that count"`
	// hold: to send again needs the provider's word.
	Then      string   `key:"then" default:"hold" oneof:"hold,resend" about:"what follows such evidence: hold the payout, or resend the same tradeNo; resend only with the provider's word that this can't pay twice; change hold to resend only by a clean stop of all instances"`
	Codes     []string `key:"codes" default:"8000" about:"outer codes of a query that mean \"no such payout\"; never 0000 or 5000; at least one, unless empty_data says so"`
	EmptyData bool     `key:"empty_data" default:"false" about:"true: an answer 0000 without data means \"no such payout\" too"`
}

// TooFast names how the provider says that it is called too often, besides HTTP 429.
type TooFast struct {
	Codes []string `key:"codes" format:"codes" about:"outer codes, or data.statuses, of sends and queries, as the provider told you; no code that its pages explain"`
}

// Extra are constant fields that the provider wants on a call besides the country's own. They may hold a key.
type Extra struct {
	Send    map[string]string `key:"send" secret:"true" about:"fields of a payout"`
	Query   map[string]string `key:"query" secret:"true" about:"fields of a query"`
	Balance map[string]string `key:"balance" secret:"true" about:"fields of a balance query"`
}

// DefaultMerchant is the merchant of whom nothing is said.
func DefaultMerchant() Merchant {
	var m Merchant
	setDefaults(&m)
	return m
}

// merchantKeys are the keys of a merchant in the file: those of Merchant, and one that becomes its Secret.
type merchantKeys struct {
	Merchant
	SecretFile string `key:"secret_file" about:"a file with the secret, instead of secret"`
}

// readKey reads a merchant, and its secret from secret_file.
func (m *Merchant) readKey(r *reader, v value) {
	file := merchantKeys{Merchant: DefaultMerchant()}
	r.section(v, reflect.ValueOf(&file).Elem())
	path := join(v.path, "secret_file")
	if file.SecretFile != "" {
		file.Secret = r.secretOf(file, path)
	}
	if r.silenced(path) { // its problem is told: nobody has to give a secret besides
		r.told[join(v.path, "secret")] = true
	}
	*m = file.Merchant
}

// secretOf reads the secret_file at path.
func (r *reader) secretOf(file merchantKeys, path string) secrets.Secret {
	if !file.Secret.IsEmpty() {
		r.bad(path, "must not stand together with secret")
		return file.Secret
	}
	content, err := r.rules.ReadFile(file.SecretFile)
	if err != nil {
		r.bad(path, "can't be read: %v", cause(err))
		return secrets.Secret{}
	}
	// Editors and echo end a file with a newline, which is not part of the key.
	key := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if key == "" {
		r.bad(path, "is an empty file")
	}
	return secrets.New(key)
}

// cause is the error of a file without its name, which may come from a variable.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return errors.New("unknown reason")
}

// readKey reads the rules of a payee field, or the one word that stands for them.
func (f *Field) readKey(r *reader, v value) {
	if v.node.Kind != yaml.ScalarNode {
		r.section(v, reflect.ValueOf(f).Elem())
		return
	}
	word, ok := r.text(v, "text")
	if !ok {
		return
	}
	r.must(slices.Contains([]string{"required", "optional", "drop"}, word), v.path, "must be required, optional, drop, or a mapping of rules")
	*f = Field{Required: word == "required", Drop: word == "drop"}
}
