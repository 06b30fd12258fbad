package config

import (
	"strings"

	"disburser/internal/similar"
)

// unlike says what a value must be one of, what it is, and which was probably meant.
func (r *reader) unlike(path, value string, known []string) string {
	text := "must be one of " + strings.Join(known, ", ")
	if shown := r.places[path].shown; shown != "" {
		text += ", is " + shown
	}
	meant := similar.Nearest(value, known)
	for _, k := range known { // a part of the name: korea for south_korea
		if part := similar.Simple(value); meant == "" && len(part) >= 4 && strings.Contains(similar.Simple(k), part) {
			meant = k
		}
	}
	if meant != "" {
		text += ": did you mean " + meant + "?"
	}
	return text
}
