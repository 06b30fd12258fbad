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
	"sync"
	"time"
	"unicode"

	"disburser/message"
	"disburser/payout/secrets"
)

// Values of Settings.Salt, the place of the secret in the canonical string, and of
// Settings.SignIn.
const (
	saltSuffix = "suffix"
	saltPrefix = "prefix"

	signBody   = "body"
	signHeader = "header"
	signBoth   = "both"
)

// defaultTimeout limits a whole call. The provider documents no limit. Ten seconds is what its
// sister site allows merchants for the answer to a callback.
const defaultTimeout = 10 * time.Second

// Settings are one merchant's settings, as the operator wrote them.
type Settings struct {
	Name       string // the operator's name for the merchant
	Country    string // one of Countries
	BaseURL    string // with its path, such as https://…/pak-pay
	MerchantNo string // sent in the merchantNo header of every call (*/payout)
	Secret     secrets.Secret
	NotifyURL  string
	Salt       string // suffix or prefix (paypro-api.md §2.2). Defaults to suffix
	SignIn     string // body, header or both (paypro-api.md §2.4). Defaults to the country's own

	// AcceptUnverified allows a country whose paths or payee fields no page documents.
	AcceptUnverified bool

	// Facts that the provider told the operator, and that are on no page.
	Paths                Paths            // "" = the country's own
	Fields               map[string]Field // replaces or adds a payee field
	AmountMin, AmountMax string           // "" = the country's own
	AmountDecimals       string           // most digits behind the point; "" = the currency's

	// NoRecordCodes are the outer codes of a query that mean "no such order". No page names
	// them (paypro-api.md §5.4). Defaults to 8000, unless NoRecordEmpty is set.
	NoRecordCodes []string

	// NoRecordEmpty says that code 0000 without data means "no such order" too.
	NoRecordEmpty bool

	// TooFastCodes are the outer codes and data.statuses that mean "you call too often", as the
	// provider told the operator. HTTP 429 always means that.
	TooFastCodes []string

	// Extra are constant fields that the provider requires besides those of its pages. They are
	// signed like the others.
	Extra Extra

	Timeout time.Duration // of a whole call, dialling included. Defaults to 10s
}

// Extra are constant fields and their values, for each call.
type Extra struct{ Send, Query, Balance map[string]string }

// Paths are the paths of the three calls; they are appended to the base URL. They are
// case-sensitive: payOut in Egypt, payout in Brazil (paypro-api.md §1).
type Paths struct{ Send, Query, Balance string }

// Field is the rule for one payee field.
type Field struct {
	Required bool
	Pattern  string   // regular expression for the whole value; "" = any text
	Rule     string   // the pattern in words, for the error: "must be 13 digits"
	OneOf    []string // the allowed values; none = any
	MaxLen   int      // in characters. Defaults to 256
	Drop     bool     // in Settings.Fields: remove the country's field

	pattern  *regexp.Regexp // Pattern, compiled
	freeText bool           // a name or another text for people, set by compile
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

// problems says what is wrong with the settings by themselves. Each problem begins with the
// name of its setting. applyTo checks them against the country.
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

// inSetting puts the name of a setting before its problem. It returns nil if there is none.
func inSetting(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", setting, err)
}

// withoutNil removes nil errors.
func withoutNil(errs ...error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// checkURL requires an absolute http or https URL. Its errors don't print the URL: credentials
// in it would appear in a log.
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

// checkBase checks what a base URL needs besides checkURL. Paths are appended to it, and its
// host is dialled and sent as it is written.
func checkBase(text string) error {
	switch {
	case strings.ContainsAny(text, "?#"):
		return errors.New("must not carry a query: the country's paths are appended to it")
	case !asciiHost(text):
		return errors.New("must name its host in ASCII letters (xn--… for others), and no zone")
	}
	return nil
}

// asciiHost tells whether the host of a URL is visible ASCII without an IPv6 zone.
func asciiHost(text string) bool {
	u, err := url.Parse(text)
	return err != nil || !strings.ContainsFunc(u.Host, notVisibleASCII) && !strings.Contains(u.Host, "%")
}

// checkMerchantNo accepts everything that a header can carry. The pages contradict each other:
// mexico/overview says 10 digits and shows 7.
func checkMerchantNo(no string) error {
	switch {
	case no == "":
		return errors.New("is required")
	case len(no) > 64 || strings.ContainsFunc(no, notVisibleASCII):
		return errors.New("must be 1 to 64 printable characters without spaces")
	}
	return nil
}

// notVisibleASCII tells whether a character is not visible ASCII.
func notVisibleASCII(r rune) bool { return r <= ' ' || r > '~' }

// checkSecret refuses white space at either end, such as the line break at the end of a file.
// It would make every signature wrong, and the provider's answer wouldn't say why.
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

// checkOneOf requires one of the words. The empty word stands for the default and is not listed
// in the error.
func checkOneOf(word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return fmt.Errorf("%q is unknown: use %s", word, strings.Join(words, " or "))
}

// checkNoRecordCodes refuses 0000 and 5000: the pages explain them, and not as "no such order".
// Taking them for that could pay twice.
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

// checkTooFastCodes refuses every code that a page explains. Such a code says something about
// an order, and an answer taken for "too fast" is used for nothing else. A code in
// no_record.codes is refused for the same reason.
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

// checkTimeout refuses a negative timeout. Zero means the default.
func checkTimeout(d time.Duration) error {
	if d < 0 {
		return errors.New("must be more than zero")
	}
	return nil
}

// applyTo applies the settings to a country's profile, and says what is wrong with them there.
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
	p, limitErrs := s.limit(p)
	return p, slices.Concat(errs, limitErrs)
}

// limit applies those settings that say which commands the merchant takes.
func (s Settings) limit(p profile) (profile, []error) {
	fields, fieldErrs := fieldsOf(p.name, p.fields, s.Fields)
	p.fields = fields
	p.anyPayee = p.anyPayee && len(fields) == 0
	limits, limitErrs := p.amount.override(s.AmountMin, s.AmountMax, s.AmountDecimals)
	p.amount = limits
	p.extra = s.Extra
	return p, slices.Concat(fieldErrs, limitErrs, p.extraProblems())
}

// decides tells whether the operator decided an open question with this setting.
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

// checkAccepted requires accept_unverified for a country that is not verified.
func (s Settings) checkAccepted(p profile) error {
	if p.verified || s.AcceptUnverified {
		return nil
	}
	return fmt.Errorf("the provider's pages don't give the payout path, query path or payee fields of %s for sure: "+
		"try the sandbox, then set accept_unverified: true", p.name)
}

// checkPath requires a plain absolute path: it is appended to the base URL as it is.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("must begin with /")
	case strings.ContainsAny(path, "?#%\\") || strings.ContainsFunc(path, notVisibleASCII) || strings.Contains(path, "/.."):
		return errors.New("must be a plain path such as /v1/paypro/payout")
	}
	return nil
}

// fieldName matches the allowed names of fields.
var fieldName = regexp.MustCompile(`\A[A-Za-z][A-Za-z0-9_]{0,63}\z`)

// plainFields are the payee fields of countries, compiled, for the merchants of operators that have
// changed none of them. Nobody writes into them.
var plainFields sync.Map

// fieldsOf are a country's payee fields with the operator's changes.
func fieldsOf(country string, own, over map[string]Field) (map[string]Field, []error) {
	if len(over) > 0 {
		return mergeFields(own, over)
	}
	if known, ok := plainFields.Load(country); ok {
		if fields, ok := known.(map[string]Field); ok {
			return fields, nil
		}
	}
	fields, errs := mergeFields(own, nil)
	if len(errs) == 0 {
		plainFields.Store(country, fields)
	}
	return fields, errs
}

// mergeFields puts the operator's payee fields over the country's, and compiles every field.
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

// patterns are the compiled patterns by their texts. Most merchants have the same few, and each
// takes a kilobyte.
var patterns sync.Map

// compiledPattern is the pattern of a whole value.
func compiledPattern(text string) (*regexp.Regexp, error) {
	if known, ok := patterns.Load(text); ok {
		if pattern, ok := known.(*regexp.Regexp); ok {
			return pattern, nil
		}
	}
	pattern, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err == nil {
		patterns.Store(text, pattern)
	}
	return pattern, err
}

// compile checks the rule itself and prepares it for use.
func (f Field) compile(name string) (Field, error) {
	pattern, err := compiledPattern(f.Pattern)
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
