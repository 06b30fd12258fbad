package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/books"
	"disburser/message"
	"disburser/payout"
)

var now = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

const good = `{"tradeNo":"T1","merchant":"eg-main","amount":"300","batchId":"B","payee":{"walletId":"01123456789"}}`

// resolve knows one merchant.
func resolve(c payout.Command) []message.Problem {
	if c.Merchant != "eg-main" {
		return []message.Problem{{Field: "merchant", Text: "is not configured"}}
	}
	return nil
}

// letterOf is a dead letter that may be replayed, an hour old.
func letterOf(value string) Case {
	at := now.Add(-time.Hour)
	source := payout.Source{Partition: 3, Offset: 120}
	return Case{
		Letter: books.Letter{Topic: "payout.commands", Source: books.Place{Partition: 3, Offset: 120}, Code: message.Malformed, Time: at.UnixMilli()},
		Topic:  "payout.commands", Now: now, Window: 720 * time.Hour, Content: Read([]byte(value), resolve, now),
		Found: Found{Letter: message.DeadLetter{Value: []byte(value), Code: message.Malformed, Index: -1, Topic: "payout.commands", Source: source, Time: at}, Time: at},
	}
}

func TestWhichMayBeReplayed(t *testing.T) {
	olga := []books.Replay{{By: "anna"}, {By: "olga", Time: now.UnixMilli()}}
	old := now.Add(-361 * time.Hour)
	for name, test := range map[string]struct {
		value  string
		change func(*Case)
		want   Verdict
		says   string
	}{
		"what is readable by now":             {good, func(*Case) {}, Replay, ""},
		"what isn't":                          {`{"tradeNo":`, func(*Case) {}, LeftOut, "it would be a dead letter again: the value"},
		"what isn't, by its name":             {`{"tradeNo":`, func(c *Case) { c.AsItIs = true }, Replay, "it would be a dead letter again: the value"},
		"what would be rejected":              {strings.Replace(good, "eg-main", "nobody", 1), func(*Case) {}, LeftOut, "it would be rejected, and its tradeNo used up: merchant is not configured"},
		"what would be rejected, by its name": {strings.Replace(good, "eg-main", "nobody", 1), func(c *Case) { c.AsItIs = true }, Replay, "it would be rejected"},
		"what has expired":                    {strings.Replace(good, `"amount"`, `"expiresAt":"2026-11-25T06:00:00Z","amount"`, 1), func(*Case) {}, LeftOut, "expiresAt has passed"},
		"a wrong form":                        {strings.Replace(good, `"300"`, `"3e2"`, 1), func(*Case) {}, LeftOut, "it would be rejected, and its tradeNo used up: amount"},
		"an element of a bulk":                {`{"merchant":"eg-main","payouts":[{"tradeNo":"T1","amount":"1","payee":{}},{}]}`, func(*Case) {}, LeftOut, "its element 1: there is no valid tradeNo"},
		"a conflict":                          {good, func(c *Case) { c.Letter.Code, c.AsItIs, c.Again = message.Conflict, true, true }, LeftOut, "its tradeNo has another content"},
		"what is too large":                   {good, func(c *Case) { c.Letter.Code, c.AsItIs = message.TooLarge, true }, LeftOut, "the whole stands in payout.commands/3, offset 120"},
		"a newer version's":                   {good, func(c *Case) { c.Letter.Code, c.AsItIs = "new", true }, LeftOut, "doesn't know what its error_code means"},
		"what is gone":                        {good, func(c *Case) { c.Found = Found{None: "Kafka no longer holds it"} }, LeftOut, "Kafka no longer holds it"},
		"another message":                     {good, func(c *Case) { c.Letter.Source.Offset++ }, LeftOut, "the topic was made anew"},
		"another element":                     {good, func(c *Case) { c.Letter.Source.Element = 1 }, LeftOut, "the topic was made anew"},
		"another topic's":                     {good, func(c *Case) { c.Topic = "other" }, LeftOut, "another topic than the commands'"},
		"what may be cut":                     {good + strings.Repeat(" ", 300-len(good)), func(c *Case) { c.AsItIs = true }, LeftOut, "its value has 300 bytes"},
		"nothing":                             {"", func(c *Case) { c.AsItIs = true }, LeftOut, "its value has 0 bytes"},
		"what the service has published":      {good, func(c *Case) { c.Found.Letter.Headers = message.Carried{State: payout.StateReceived}.Headers() }, LeftOut, "its payout is known"},
		"what is old":                         {good, func(c *Case) { c.Found.Letter.Time, c.Found.Time = old, old }, LeftOut, "older than half of redis.dedup_window"},
		"what is old, by Kafka's time":        {good, func(c *Case) { c.Found.Time, c.AsItIs = old, true }, LeftOut, "older than half of redis.dedup_window"},
		"what is old, by an earlier replay": {good, func(c *Case) {
			c.Found.Letter.Headers = message.Replay{Topic: "t", By: "olga", Index: -1, First: old}.Replayed(nil)
		}, LeftOut, "older than half"},
		"just young enough":                     {good, func(c *Case) { c.Window = 2*time.Hour + 2 }, Replay, ""},
		"without a window nothing is":           {good, func(c *Case) { c.Window = 0 }, LeftOut, "older than half"},
		"what was replayed":                     {good, func(c *Case) { c.Replays = olga }, Replayed, "replayed by olga at 2026-11-25T06:00:00.000Z"},
		"what was replayed, of any code":        {good, func(c *Case) { c.Replays, c.Letter.Code = olga, message.Conflict }, Replayed, "replayed by olga"},
		"what was replayed, again":              {good, func(c *Case) { c.Replays, c.Again = olga, true }, Replay, ""},
		"what was ordered otherwise":            {good, func(c *Case) { c.Ordered = map[string]string{"T1": "paid"} }, LeftOut, "T1 was ordered otherwise: it is paid"},
		"what was ordered otherwise, and named": {good, func(c *Case) { c.Ordered, c.AsItIs, c.Again = map[string]string{"T1": "paid"}, true, true }, LeftOut, "T1 was ordered otherwise"},
		"what is in this run already":           {good, func(c *Case) { c.Taken = "0-7" }, LeftOut, "0-7 of this run has the same tradeNo"},
	} {
		c := letterOf(test.value)
		test.change(&c)
		if verdict, why := Judge(c); verdict != test.want || !strings.Contains(why, test.says) || test.says == "" && why != "" {
			t.Errorf("%s: %s (%s), want %s (%s)", name, verdict, why, test.want, test.says)
		}
	}
}

// What the books know of a tradeNo counts, but for what the dead letter's own message has ordered.
func TestWhatWasOrderedOtherwise(t *testing.T) {
	letter := books.Letter{Source: books.Place{Partition: 3, Offset: 120}}
	element := books.Letter{Source: books.Place{Partition: 3, Offset: 120, Element: 2}}
	again := []books.Replay{{Place: books.Place{Partition: 1, Offset: 9}}}
	order := func(partition int, offset int64, element, copies int) *books.Payout {
		return &books.Payout{Orders: []books.Order{{Place: books.Place{Partition: partition, Offset: offset, Element: element}, Copies: copies}}}
	}
	sent := order(3, 120, 0, 1)
	sent.Sent = &books.Sent{Times: 1}
	for i, test := range []struct {
		payout  *books.Payout
		letter  books.Letter
		replays []books.Replay
		want    string
	}{
		{nil, letter, nil, ""},
		{order(3, 120, 0, 1), letter, nil, ""},
		{order(3, 120, 2, 1), letter, nil, ""},
		{order(3, 120, 2, 1), element, nil, ""},
		{order(3, 120, 1, 1), element, nil, "received"},
		{order(3, 121, 0, 1), letter, nil, "received"},
		{order(2, 120, 0, 1), letter, nil, "received"},
		{order(3, 120, 0, 2), letter, nil, "received"},
		{order(3, 120, 0, 0), letter, nil, "received"},
		{order(1, 9, 0, 1), letter, nil, "received"},
		{order(1, 9, 0, 1), letter, again, ""},
		{sent, letter, nil, "sending"},
		{&books.Payout{Lost: []books.Lost{{}}}, letter, nil, "known by a conflict"},
	} {
		if got := Ordered(test.payout, test.letter, test.replays); got != test.want {
			t.Errorf("%d: %q, want %q", i, got, test.want)
		}
	}
}

// No reason has a payee's value in it, however broken a message is.
func TestNoReasonShowsAPayee(t *testing.T) {
	for end := range len(good) {
		for _, value := range []string{good[:end], good[end:], good[:end] + "}" + good[end:], strings.Replace(good, "tradeNo", "01123456789", 1)} {
			c := Read([]byte(value), resolve, now)
			if text := fmt.Sprint(c.Unreadable, c.Rejected); strings.Contains(text, "0112345") {
				t.Errorf("%s: %s", value, text)
			}
		}
	}
}
