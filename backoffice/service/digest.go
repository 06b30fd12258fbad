package service

import (
	"context"
	"time"
)

const (
	// digestEvery is how often closed batches without a digest are looked for.
	digestEvery = time.Second

	// digestBehind is from how many records on that the books don't know no digest is computed: it would change again. The digest of
	// a million payouts takes some seconds.
	digestBehind = 1000
)

// digest computes the digests of closed batches until ctx ends. Of several instances each may do it: the digest is the same.
func (s *Service) digest(ctx context.Context) {
	said := false
	for ctx.Err() == nil {
		done, err := false, error(nil)
		if s.caughtUp() {
			done, err = s.books.Digest(ctx, s.seals)
		}
		if err != nil && ctx.Err() == nil && !said {
			s.logger.Error().Err(err).Msg("the digest of a closed batch is missing; trying again")
		}
		if said = err != nil; !done {
			pause(ctx, digestEvery)
		}
	}
}

// caughtUp tells that the books know nearly all that there is.
func (s *Service) caughtUp() bool {
	behind := int64(0)
	for _, l := range s.readers.lags() {
		if l.Lag < 0 {
			return false
		}
		behind += l.Lag
	}
	return behind <= digestBehind
}
