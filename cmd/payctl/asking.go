package main

import (
	"context"
	"errors"
	"iter"
	"net/url"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// ofPayout is a question about one payout.
type ofPayout struct {
	office
	TradeNo string `arg:"" name:"tradeNo" help:"The payout."`
}

// tellOne asks the back office for one thing and prints it: as JSON if that is wanted, else by tell.
func tellOne[T any](ctx context.Context, s cli.Streams, o office, path string, tell func(T) error) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	answer, err := api.Get[T](ctx, c, path, nil)
	switch {
	case err != nil:
		return marked(err)
	case o.JSON:
		return printed(s.Out, answer)
	}
	return tell(answer)
}

// tellEach prints a list: as JSON one a line if that is wanted, else as rows of a table. It answers how many there were.
func tellEach[T any](s cli.Streams, o office, header []string, all iter.Seq2[T, error], row func(T) []string) (n int, err error) {
	t := newTable(s.Out, header...)
	for one, err := range all {
		if err != nil {
			return n, errors.Join(t.flush(), marked(err))
		}
		n++
		if !o.JSON {
			t.row(row(one)...)
		} else if err := printed(s.Out, one); err != nil {
			return n, err
		}
	}
	return n, t.flush()
}

// escaped is a path of the API whose last part is a name from outside.
func escaped(path, name string) string { return path + url.PathEscape(name) }

// listed is a list whose whole is there.
func listed[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	}
}
