package service

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"disburser/backoffice/api"
)

const (
	// nextFor is how long a disburser may take to say what happens next: a person waits.
	nextFor = 2 * time.Second

	// mostOfNext bounds its answer.
	mostOfNext = 1 << 20
)

// next asks the disbursers, one after the other, what happens next to a payout. It is nil where none is configured or none
// answers: the books don't know it.
func (s *Service) next(ctx context.Context, tradeNo string) *api.Next {
	ctx, cancel := context.WithTimeout(ctx, nextFor)
	defer cancel()
	for _, base := range s.config.Backoffice.Disbursers {
		next, err := s.ask(ctx, base, tradeNo)
		if err == nil {
			return next
		}
		s.logger.Warn().Err(err).Str("disburser", base).Msg("a disburser doesn't say what happens next")
	}
	return nil
}

func (s *Service) ask(ctx context.Context, base, tradeNo string) (*api.Next, error) {
	ctx, cancel := context.WithTimeout(ctx, nextFor/2)
	defer cancel()
	address := strings.TrimSuffix(base, "/") + "/payouts/" + url.PathEscape(tradeNo)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.config.Admin.Token.Reveal())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with status %d", response.StatusCode)
	}
	var answer struct {
		Next *api.Next `json:"next"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, mostOfNext)).Decode(&answer); err != nil {
		return nil, err
	}
	return answer.Next, nil
}
