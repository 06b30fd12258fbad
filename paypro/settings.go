package paypro

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"disburser/message"
	"disburser/payout/secrets"
)

// Where the secret stands in the signed text, and where the sign goes.
const (
	saltSuffix = "suffix"
	saltPrefix = "prefix"

	signBody   = "body"
	signHeader = "header"
	signBoth   = "both"
)

// defaultTimeout is a whole call's limit. The provider documents none; ten
// seconds is what its sister site allows us for answering a callback.
const defaultTimeout = 10 * time.Second

// Settings is one merchant as the operator configured it.
type Settings struct {
	Name       string // the operator's name for the merchant
	Country    string // one of Countries
	BaseURL    string // with its path segment, such as https://…/pak-pay
	MerchantNo string // the merchantNo header of every call
	Secret     secrets.Secret
	NotifyURL  string
	Salt       string // suffix or prefix. Defaults to suffix
	SignIn     string // body, header or both. Defaults to the country's own

	// AcceptUnverified lets a country start whose path or payee fields no page
	// of the provider's documents.
	AcceptUnverified bool

	// What the provider told the operator and the pages don't say (yet).
	Paths                Paths            // "" = the country's own
	Fields               map[string]Field // replaces or adds a payee field
	AmountMin, AmountMax string           // "" = the country's own
	AmountDecimals       string           // how many digits an amount may have behind the point; "" = the currency's

	// NoRecordCodes are the outer codes of a query that say "no such order".
	// Defaults to 8000, where NoRecordEmpty isn't set.
	NoRecordCodes []string

	// NoRecordEmpty: a query's answer of code 0000 without data says so too.
	NoRecordEmpty bool

	// TooFastCodes are the outer codes and data.statuses that say "you call too often",
	// as the provider told the operator; HTTP 429 says it without.
	TooFastCodes []string

	// Extra are constant fields that the provider wants on a call besides the pages' own,
	// signed like these.
	Extra Extra

	Timeout time.Duration // of a whole call. Defaults to 10s
}

// Extra are fields and their values, by call.
type Extra struct{ Send, Query, Balance map[string]string }

// Paths are the three calls, to be appended to the base URL. They are
// case-sensitive: payOut in Egypt, payout in Brazil.
type Paths struct{ Send, Query, Balance string }

// Field is the rule for one payee field.
type Field struct {
	Required bool
	Pattern  string   // regular expression for the whole value; "" = any text
	Rule     string   // the pattern in words, for the error: "must be 13 digits"
	OneOf    []string // the allowed values; none = any
	MaxLen   int      // in characters. Defaults to 256
	Drop     bool     // in Settings.Fields: the country's field is not wanted

	pattern  *regexp.Regexp // Pattern compiled, by compile
	freeText bool           // a name or another text for people, by compile
}

// withDefaults fills in what the operator left out.
func (s Settings) withDefaults() Settings {
	s.Salt = cmp.Or(s.Salt, saltSuffix)
	s.Timeout = cmp.Or(s.Timeout, defaultTimeout)
	if len(s.NoRecordCodes) == 0 && !s.NoRecordEmpty {
		s.NoRecordCodes = []string{codeFailed}
	}
	return s
}

// problems says everything that is wrong with the settings themselves; each
// problem begins with the setting's name. What the country has to say is added
// by applyTo.
func (s Settings) problems() []error {
	return withoutNil(
		inSetting("base_url", checkURL(s.BaseURL)),
		inSetting("merchant_no", checkMerchantNo(s.MerchantNo)),
		inSetting("secret", checkSecret(s.Secret)),
		inSetting("notify_url", checkURL(s.NotifyURL)),
		inSetting("salt", checkOneOf(s.Salt, saltSuffix, saltPrefix)),
		inSetting("sign_in", checkOneOf(s.SignIn, "", signBody, signHeader, signBoth)),
		inSetting("no_record.codes", checkNoRecordCodes(s.NoRecordCodes)),
		inSetting("too_fast.codes", checkTooFastCodes(s.TooFastCodes, s.NoRecordCodes)),
		inSetting("timeout", checkTimeout(s.Timeout)),
	)
}

// wrong puts the setting's name before its problem, if it has one.
func inSetting(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", setting, err)
}

// compact drops the nils.
func withoutNil(errs ...error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// checkURL wants an absolute http(s) URL. What it refuses it does not print: a URL
// with credentials in it would end up in a log.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("is required")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must be an absolute URL such as https://host/path")
	case u.User != nil:
		return errors.New("must not carry a user name or password")
	case u.Fragment != "":
		return errors.New("must not carry a #fragment")
	}
	return nil
}

// checkBase is what a base URL must be besides a URL: paths are appended to it, and its
// host is looked up and sent as it stands.
func checkBase(text string) error {
	switch {
	case strings.ContainsAny(text, "?#"):
		return errors.New("must not carry a query: the country's paths are appended to it")
	case !asciiHost(text):
		return errors.New("must name its host in ASCII letters (xn--… for others), and no zone")
	}
	return nil
}

func asciiHost(text string) bool {
	u, err := url.Parse(text)
	return err != nil || !strings.ContainsFunc(u.Host, notVisibleASCII) && !strings.Contains(u.Host, "%")
}

// checkMerchantNo is lenient on purpose: mexico/overview says 10 digits and shows
// 7. It must only be something a header can carry.
func checkMerchantNo(no string) error {
	switch {
	case no == "":
		return errors.New("is required")
	case len(no) > 64 || strings.ContainsFunc(no, notVisibleASCII):
		return errors.New("must be 1 to 64 printable characters without spaces")
	}
	return nil
}

// notGraphic tells characters that are not visible ASCII.
func notVisibleASCII(r rune) bool { return r <= ' ' || r > '~' }

// checkSecret refuses the line break that a secret file likes to end with: it
// would make every signature wrong, and the provider's answer doesn't say so.
func checkSecret(s secrets.Secret) error {
	text := s.Reveal()
	switch {
	case text == "":
		return errors.New("is required")
	case strings.TrimFunc(text, unicode.IsSpace) != text:
		return errors.New("begins or ends with white space, which would be signed with it")
	}
	return nil
}

// checkWord wants one of the words.
func checkOneOf(word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return fmt.Errorf("%q is unknown: use %s", word, strings.Join(words, " or "))
}

// checkNoRecordCodes keeps out the two codes whose meaning is documented and is
// not "no such order": taking them for one could pay twice.
func checkNoRecordCodes(codes []string) error {
	for _, code := range codes {
		switch {
		case !validCode(code):
			return fmt.Errorf("%q is not a code", code)
		case code == codeOK:
			return errors.New("0000 says that the call was accepted, it can't say that there is no order")
		case code == codeException:
			return errors.New("5000 is a system exception and says nothing of the order (mexico/errorcode)")
		}
	}
	return nil
}

// checkTooFastCodes keeps out every code that a page explains: each says something of an
// order, and an answer that is taken for "too fast" is taken for nothing else. A code
// that is in no_record too would never be evidence.
func checkTooFastCodes(codes, noRecord []string) error {
	for _, code := range codes {
		switch {
		case !validCode(code):
			return fmt.Errorf("%q is not a code", code)
		case slices.Contains(documented, code):
			return fmt.Errorf("%s is a code that the provider's pages explain, and not as too fast", code)
		case slices.Contains(noRecord, code):
			return fmt.Errorf("%s is in no_record.codes: it can't say both", code)
		}
	}
	return nil
}

func checkTimeout(d time.Duration) error {
	if d < 0 {
		return errors.New("must be more than zero")
	}
	return nil
}

// applyTo makes of a country's profile this merchant's own.
func (s Settings) applyTo(p profile) (profile, []error) {
	p.signIn = cmp.Or(s.SignIn, p.signIn)
	p.paths.Send = cmp.Or(s.Paths.Send, p.paths.Send)
	p.paths.Query = cmp.Or(s.Paths.Query, p.paths.Query)
	p.paths.Balance = cmp.Or(s.Paths.Balance, p.paths.Balance)
	p.openQuestions = slices.DeleteFunc(slices.Clone(p.openQuestions), func(d openQuestion) bool { return s.decides(d.setting) })

	errs := withoutNil(
		inSetting("accept_unverified", s.checkAccepted(p)),
		inSetting("base_url", checkBase(s.BaseURL)),
		inSetting("paths.send", checkPath(p.paths.Send)),
		inSetting("paths.query", checkPath(p.paths.Query)),
		inSetting("paths.balance", checkPath(p.paths.Balance)),
	)
	fields, fieldErrs := mergeFields(p.fields, s.Fields)
	p.fields = fields
	p.anyPayee = p.anyPayee && len(fields) == 0
	limits, limitErrs := p.amount.override(s.AmountMin, s.AmountMax, s.AmountDecimals)
	p.amount = limits
	p.extra = s.Extra
	return p, slices.Concat(errs, fieldErrs, limitErrs, p.extraProblems())
}

// settles tells that the operator decided what the pages leave open.
func (s Settings) decides(about string) bool {
	switch about {
	case "paths.send":
		return s.Paths.Send != ""
	case "paths.query":
		return s.Paths.Query != ""
	case "paths.balance":
		return s.Paths.Balance != ""
	case "sign_in":
		return s.SignIn != ""
	case "payee":
		return len(s.Fields) > 0
	}
	return false
}

func (s Settings) checkAccepted(p profile) error {
	if p.verified || s.AcceptUnverified {
		return nil
	}
	return fmt.Errorf("the provider's pages don't give the payout path, query path or payee fields of %s for sure: "+
		"try the sandbox, then set accept_unverified: true", p.name)
}

// checkPath wants a plain absolute path, for it is appended as it stands.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("must begin with /")
	case strings.ContainsAny(path, "?#%\\") || strings.ContainsFunc(path, notVisibleASCII) || strings.Contains(path, "/.."):
		return errors.New("must be a plain path such as /v1/paypro/payout")
	}
	return nil
}

// fieldName is what may be a payee field's name.
var fieldName = regexp.MustCompile(`\A[A-Za-z][A-Za-z0-9_]{0,63}\z`)

// mergeFields puts the operator's payee fields over the country's and compiles
// every pattern.
func mergeFields(own, over map[string]Field) (map[string]Field, []error) {
	merged := maps.Clone(own)
	if merged == nil {
		merged = map[string]Field{}
	}
	maps.Copy(merged, over)
	maps.DeleteFunc(merged, func(_ string, f Field) bool { return f.Drop })

	var errs []error
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		field, err := merged[name].compile(name)
		if err != nil {
			errs = append(errs, inSetting("fields."+name, err))
		}
		merged[name] = field
	}
	return merged, errs
}

// compile checks the rule itself and makes it ready for use.
func (f Field) compile(name string) (Field, error) {
	pattern, err := regexp.Compile(`\A(?:` + f.Pattern + `)\z`)
	switch {
	case !fieldName.MatchString(name):
		return f, errors.New("is no field name: use letters, digits and _")
	case slices.Contains(reservedNames, name):
		return f, errors.New("is filled in by the disburser, it can't be a payee field")
	case err != nil:
		return f, fmt.Errorf("pattern: %w", err)
	case f.MaxLen < 0 || f.MaxLen > message.MaxPayeeField:
		return f, fmt.Errorf("max_len: must be from 0 to %d", message.MaxPayeeField)
	}
	f.pattern = pattern
	f.freeText = isFreeText(name)
	f.MaxLen = cmp.Or(f.MaxLen, message.MaxPayeeField)
	f.Rule = cmp.Or(f.Rule, "must match "+f.Pattern)
	return f, nil
}
