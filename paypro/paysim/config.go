package paysim

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Config says which merchants the simulator serves, and how.
type Config struct {
	Seed      uint64     `json:"seed"`
	Merchants []Merchant `json:"merchants"`
	Behavior  Behavior   `json:"behavior"` // of every merchant without its own
	Repeat    Repeat     `json:"repeat"`
}

// Merchant is one account at the provider. MerchantNo is unique over all countries: a call
// carries no other identity (pages */payout, header merchantNo).
type Merchant struct {
	Country    string    `json:"country"` // a name as in our configuration: egypt, south_korea…
	MerchantNo string    `json:"merchantNo"`
	Secret     string    `json:"secret"`
	Salt       string    `json:"salt"`      // suffix (default) or prefix; which one is right is [U]
	SignIn     string    `json:"signIn"`    // body, header or both; "" = the country's documented place
	BasePath   string    `json:"basePath"`  // such as "/egy-pay"; "" = none
	Paths      Paths     `json:"paths"`     // instead of the country's; "" = the country's
	MinAmount  string    `json:"minAmount"` // "" = the country's; page egypt/payout calls its limits adjustable
	MaxAmount  string    `json:"maxAmount"`
	Balance    string    `json:"balance"`  // at the start; "" = 9998989 (page mexico/balance)
	Behavior   *Behavior `json:"behavior"` // nil = Config.Behavior; else used instead of it
}

// Paths replace the country's paths for one merchant.
type Paths struct {
	Payout  string `json:"payout"`
	Query   string `json:"query"`
	Balance string `json:"balance"`
}

// Validate reports everything that is wrong with the configuration in one error.
func (c Config) Validate() error {
	problems := []error{c.Behavior.Validate()}
	if len(c.Merchants) == 0 {
		problems = append(problems, errors.New("paysim: at least one merchant is needed"))
	}
	seen := make(map[string]bool)
	for _, m := range c.Merchants {
		if seen[m.MerchantNo] {
			problems = append(problems, fmt.Errorf("paysim: merchantNo %q stands twice", m.MerchantNo))
		}
		seen[m.MerchantNo] = true
		problems = append(problems, m.validate())
	}
	return errors.Join(problems...)
}

func (m Merchant) validate() error {
	complain := func(what string) error { return fmt.Errorf("paysim: merchant %q: %s", m.MerchantNo, what) }
	var problems []error
	if countries[m.Country] == nil {
		problems = append(problems, complain(fmt.Sprintf("country %q is none of %s", m.Country, strings.Join(Countries(), ", "))))
	}
	if m.MerchantNo == "" || m.Secret == "" {
		problems = append(problems, complain("merchantNo and secret must not be empty"))
	}
	if !slices.Contains([]string{"", "suffix", "prefix"}, m.Salt) {
		problems = append(problems, complain("salt must be suffix or prefix"))
	}
	if !slices.Contains([]string{"", inBody, inHeader, inBoth}, m.SignIn) {
		problems = append(problems, complain("signIn must be body, header or both"))
	}
	if m.BasePath != "" && (m.BasePath[0] != '/' || strings.HasSuffix(m.BasePath, "/")) {
		problems = append(problems, complain("basePath must begin with a slash and not end with one"))
	}
	for _, path := range []string{m.Paths.Payout, m.Paths.Query, m.Paths.Balance} {
		if path != "" && path[0] != '/' {
			problems = append(problems, complain(fmt.Sprintf("path %q must begin with a slash", path)))
		}
	}
	for _, text := range []string{m.MinAmount, m.MaxAmount, m.Balance} {
		if text != "" && !decimal(text) {
			problems = append(problems, complain(fmt.Sprintf("%q is not an amount", text)))
		}
	}
	if m.Behavior != nil {
		problems = append(problems, m.Behavior.Validate())
	}
	return errors.Join(problems...)
}

// limits returns the merchant's amount limits; nil = no limit.
func (m Merchant) limits(p *profile) (lowest, highest *big.Rat) {
	return ratOr(m.MinAmount, p.minAmount), ratOr(m.MaxAmount, p.maxAmount)
}

// ratOr reads an amount, or the other text if it is "". It returns nil if both are "".
func ratOr(text, otherwise string) *big.Rat {
	if text == "" {
		text = otherwise
	}
	if text == "" {
		return nil
	}
	r, _ := new(big.Rat).SetString(text)
	return r
}

// Repeat says what a second placement of an accepted tradeNo does. No page says what the
// provider does. The pages only ask for unique tradeNos.
type Repeat int

// The zero value is the worst case: it pays again.
const (
	PayAgain Repeat = iota // a second execution: money leaves twice
	Refuse                 // outer 8000
	Replay                 // the first answer again, nothing is executed
)

// Outage is a failure of the provider for one merchant.
type Outage int

// The outages. All but Hung happen before anything is read or executed.
const (
	Up          Outage = iota
	Unavailable        // HTTP 503
	Cut                // the connection closes without an answer
	Hung               // no answer until the client leaves or HangFor has passed; half of the placements are executed
	Disabled           // outer 8000 for everything: a revoked key
	Broke              // outer 8000 for placements: no balance left
)

var (
	repeatNames = []string{"pay-again", "refuse", "replay"}
	outageNames = []string{"up", "unavailable", "cut", "hung", "disabled", "broke"}
)

func (r Repeat) String() string { return repeatNames[r] }

// MarshalText writes the name, for flags and JSON.
func (r Repeat) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the name.
func (r *Repeat) UnmarshalText(text []byte) error {
	i, err := named(repeatNames, text)
	*r = Repeat(i)
	return err
}

func (o Outage) String() string { return outageNames[o] }

// MarshalText writes the name, for JSON.
func (o Outage) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the name.
func (o *Outage) UnmarshalText(text []byte) error {
	i, err := named(outageNames, text)
	*o = Outage(i)
	return err
}

// named returns the index of a name.
func named(names []string, text []byte) (int, error) {
	if i := slices.Index(names, string(text)); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("must be one of %s", strings.Join(names, ", "))
}
