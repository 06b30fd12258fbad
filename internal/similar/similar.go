// Package similar promises to name what somebody probably meant by a word that nobody knows.
package similar

import "strings"

// Nearest returns the known name that was probably meant, or "". It differs by a third of its letters at most.
func Nearest(name string, known []string) string {
	const longest = 100 // no name that is known is longer, and the work grows with it
	best, least := "", len(name)/3+1
	if len(name) > longest {
		return ""
	}
	for _, k := range known {
		if d := distance(Simple(name), Simple(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// Simple makes sessionTimeout, session-timeout, session_timeout and "Session timeout" alike.
func Simple(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// distance answers how many steps make b of a. A step adds, removes or changes a byte, or swaps
// it with the next one. It is the Damerau-Levenshtein distance, as optimal string alignment.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
