package message

import (
	"time"

	"disburser/payout"
)

// The headers of a command that was published again because its payout has been open for long
// (docs/protocol.md, I5).
const (
	CarriedHeader     = "carried"             // how far the payout is: received, held, or sending
	CarriedReceivedAt = "carried-received-at" // when its command was read first
	CarriedCountry    = "carried-country"     // its country: a merchant that isn't configured any more can't tell it
)

// longestCountry bounds what a header may say to be a country, in bytes.
const longestCountry = 64

// Carried is what the headers of a command say that was published again. Its zero value stands
// for all other commands.
type Carried struct {
	// State is how far the payout was: received, held, or sending. Sending means that it may
	// have been sent. It is 0 where the command wasn't published again.
	State      payout.State
	ReceivedAt time.Time // zero: not said, or not between the years 1970 and 2199
	Country    string

	// HasCountry tells that the country was said. It may be "": of a payout whose merchant
	// wasn't configured.
	HasCountry bool
}

// CarriedOf says of an open payout what the headers carry on.
func CarriedOf(p payout.Payout) Carried {
	c := Carried{State: payout.StateSending, ReceivedAt: p.ReceivedAt, Country: p.Country, HasCountry: true}
	switch {
	case p.State == payout.StateHeld: // a journal that is lost meanwhile must hold it again
		c.State = payout.StateHeld
	case p.State == payout.StateReceived && p.Sends == 0: // only this one was certainly never sent
		c.State = payout.StateReceived
	}
	return c
}

// Headers are those that say it; none for the zero value.
func (c Carried) Headers() []Header {
	if c.State == 0 {
		return nil
	}
	headers := []Header{
		header(CarriedHeader, c.State.String()),
		header(CarriedReceivedAt, c.ReceivedAt.UTC().Format(time.RFC3339Nano)),
	}
	if c.HasCountry {
		headers = append(headers, header(CarriedCountry, c.Country))
	}
	return headers
}

// DecodeCarried reads the headers of a command. Others write to the topic too. So an unknown state
// means that the payout may have been sent, and nothing large or strange is taken over.
func DecodeCarried(headers []Header) Carried {
	var c Carried
	for _, h := range headers {
		switch h.Key {
		case CarriedHeader:
			switch string(h.Value) {
			case payout.StateReceived.String():
				c.State = payout.StateReceived
			case payout.StateHeld.String():
				c.State = payout.StateHeld
			default: // in doubt it is asked about, and not sent
				c.State = payout.StateSending
			}
		case CarriedReceivedAt:
			if at, err := ParseTime(string(h.Value)); err == nil && at.Year() >= 1970 && at.Year() < 2200 {
				c.ReceivedAt = at
			}
		case CarriedCountry:
			if len(h.Value) <= longestCountry {
				c.Country, c.HasCountry = string(h.Value), true
			}
		}
	}
	return c
}

// Fill writes into a payout what the headers say of it.
func (c Carried) Fill(p *payout.Payout) {
	if !c.ReceivedAt.IsZero() {
		p.ReceivedAt = c.ReceivedAt
	}
	if c.HasCountry {
		p.Country = c.Country
	}
}

// EncodeCarried writes the command of an open payout once more, with headers that say so.
func EncodeCarried(p payout.Payout) (Message, error) {
	command := p.Command
	command.Currency = namedCurrency(p)
	value, err := EncodeUnchecked(command)
	if err != nil {
		return Message{}, err
	}
	m := Message{Key: []byte(p.TradeNo), Value: value, Headers: CarriedOf(p).Headers()}
	if p.Trace.Parent != "" { // a state means nothing without it; an empty one is written too
		m.Headers = append(m.Headers, header(traceParent, p.Trace.Parent), header(traceState, p.Trace.State))
	}
	return m, nil
}

// namedCurrency is the currency that the command itself has named. One that was filled in for
// its country is no part of the fingerprint. Written down it would make another command.
func namedCurrency(p payout.Payout) string {
	bare := p.Command
	if bare.Currency = ""; bare.Fingerprint() == p.Fingerprint {
		return ""
	}
	return p.Currency
}
