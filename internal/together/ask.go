package together

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// errUnanswered stands in a command until its answer is read.
var errUnanswered = errors.New("together: no answer")

// once is a command of a pipeline that isn't tried again: each caller does that for itself.
type once struct{ *redis.Cmd }

// NoRetry is asked by the client.
func (once) NoRetry() bool { return true }

// ask sends calls in one pipeline, and tells each caller whether its command was answered. It has no
// context: callers leave by their own, and the client limits the time.
func ask(to server, group []*call) {
	defer func() {
		_ = recover() // who brought it along meets it again, alone
		for _, c := range group {
			c.answered <- isAnswer(c.command.Err())
		}
	}()
	pipeline := to.Pipeline()
	for _, c := range group {
		c.command.SetErr(errUnanswered) // where no connection is to be had, the client leaves it as it is
		_ = pipeline.Process(context.Background(), once{c.command})
	}
	_, _ = pipeline.Exec(context.Background()) // each command has its error
}

// isAnswer tells whether a command's error, or none, is what its server says of it. It isn't where
// the client would try again, or elsewhere.
func isAnswer(err error) bool {
	var answer redis.Error
	if err == nil || !errors.As(err, &answer) {
		return err == nil
	}
	_, moved := redis.IsMovedError(err)
	_, asked := redis.IsAskError(err)
	return !(moved || asked || redis.IsLoadingError(err) || redis.IsReadOnlyError(err) || redis.IsClusterDownError(err) || redis.IsTryAgainError(err) ||
		redis.IsMasterDownError(err) || redis.IsMaxClientsError(err) || redis.IsNoReplicasError(err))
}
