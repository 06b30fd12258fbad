package message

import (
	"fmt"
	"strings"
)

// oversizeNamed is how many messages an OversizeError names.
const oversizeNamed = 10

// OversizeError says which messages a topic doesn't take, not even alone. It wraps
// nothing: to try again is of no use before somebody has raised the topic's limit.
type OversizeError struct {
	Topic string
	Keys  []string // of the messages: tradeNos, where we write them
	Bytes []int    // how large each is, about
}

// Error names the first ones.
func (e *OversizeError) Error() string {
	var names []string
	for i, key := range e.Keys {
		if i == oversizeNamed {
			names = append(names, fmt.Sprintf("and %d more", len(e.Keys)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (about %d bytes)", shown(key), e.Bytes[i]))
	}
	return fmt.Sprintf("topic %s takes less than one message, so these are not written: %s: raise its max.message.bytes", e.Topic, strings.Join(names, ", "))
}

// shown is a key that may be anybody's: a long one is cut.
func shown(key string) string {
	const most = 80
	if len(key) > most {
		return fmt.Sprintf("%q…", key[:most])
	}
	return key
}
