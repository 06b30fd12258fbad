package service

import (
	"context"
	"fmt"
	"time"

	"disburser/backoffice/books/database"
	"disburser/internal/similar"
	"disburser/payout/acts"
)

const (
	// warnFor is how long the books may take to say whether they know what an action names. A person waits, and it is written by then.
	warnFor = 2 * time.Second

	// meantAmong is how many batches are looked through for the one that was meant: the latest.
	meantAmong = 500
)

// warnings tells what an action names and nobody knows: it is probably mistyped. It is written all the same, for a pause may come
// before its batch.
func (s *Service) warnings(ctx context.Context, a acts.Action) []string {
	if a.Kind == acts.Resume || a.Kind == acts.Confirm { // they are about what was said before
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), warnFor)
	defer cancel()
	text, err := s.unknownScope(ctx, a.Scope)
	if err != nil {
		s.logger.Warn().Err(err).Str("action", a.ID).Msg("the books can't be asked whether they know what an action names")
	}
	if text == "" || err != nil {
		return nil
	}
	if a.Kind == acts.Pause {
		text += " The pause stands all the same."
	}
	return []string{text}
}

// unknownScope says that nobody knows what a scope names, "" if somebody does.
func (s *Service) unknownScope(ctx context.Context, scope acts.Scope) (string, error) {
	switch scope.Kind {
	case acts.Fleet:
	case acts.Merchant:
		return s.merchants.Unknown(scope.Name), nil
	case acts.Batch:
		if _, known, err := s.books.Batch(ctx, scope.Name); known || err != nil {
			return "", err
		}
		list, err := s.books.Batches(ctx, database.Cursor{}, meantAmong)
		if err != nil {
			return "", err
		}
		names := make([]string, len(list))
		for i, b := range list {
			names[i] = b.ID
		}
		text := fmt.Sprintf("the books know no batch %s", scope.Name)
		if meant := similar.Nearest(scope.Name, names); meant != "" {
			text += ": did you mean " + meant + "?"
		}
		return text, nil
	case acts.Payout:
		if p, err := s.books.Payout(ctx, scope.Name); p != nil || err != nil {
			return "", err
		}
		return fmt.Sprintf("the books know no payout %s", scope.Name), nil
	}
	return "", nil
}
