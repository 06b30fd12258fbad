package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// firstPause is how long a warning is not written again after the first time; each next
	// pause is twice as long, up to longestPause.
	firstPause   = 10 * time.Second
	longestPause = 10 * time.Minute

	// mostFolded bounds what is kept of warnings that differ.
	mostFolded = 500
)

// folder writes lines of the log. A warning with an error in it that comes again and again is
// written only after growing pauses, with how often it came meanwhile. What is away is tried
// several times a second by everybody who needs it, and for hours.
//
// It always writes a line of level error, one about a payout, and a warning that answers
// somebody's doing (SIGHUP).
type folder struct {
	to io.Writer

	mu     sync.Mutex
	folded map[string]*fold
	next   time.Time // before it no pause is over
}

// fold is one warning that may come again.
type fold struct {
	line     []byte // the latest that was held back, nil if none was
	repeated int    // how often, since it was last written
	written  time.Time
	pause    time.Duration
}

func newFolder(to io.Writer) *folder { return &folder{to: to, folded: map[string]*fold{}} }

// Write writes a line as it is.
func (f *folder) Write(line []byte) (int, error) { return f.WriteLevel(zerolog.NoLevel, line) }

// WriteLevel writes a line, or holds it back. An old warning that hasn't come again for as
// long as its pause is told before, with its count.
func (f *folder) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.settle(now)
	if level == zerolog.WarnLevel {
		if key := kindOf(line); key != "" {
			return f.warn(key, line, now)
		}
	}
	return f.to.Write(line)
}

func (f *folder) warn(key string, line []byte, now time.Time) (int, error) {
	known := f.folded[key]
	switch {
	case known == nil && len(f.folded) >= mostFolded:
	case known == nil:
		f.folded[key] = &fold{written: now, pause: firstPause}
	case now.Sub(known.written) < known.pause:
		known.line, known.repeated = bytes.Clone(line), known.repeated+1
		return len(line), nil
	default:
		known.repeated++
		counted := known.counted(line, now)
		known.line, known.repeated, known.written, known.pause = nil, 0, now, min(2*known.pause, longestPause)
		if _, err := f.to.Write(counted); err != nil {
			return 0, err
		}
		return len(line), nil
	}
	return f.to.Write(line)
}

// settle writes what is left of warnings whose pause is over. It forgets those that haven't
// come for another pause: should they come again, that is news.
func (f *folder) settle(now time.Time) {
	if len(f.folded) == 0 || now.Before(f.next) {
		return
	}
	f.next = now.Add(firstPause)
	for _, key := range slices.Sorted(maps.Keys(f.folded)) {
		known := f.folded[key]
		quiet := now.Sub(known.written) - known.pause
		if quiet < 0 {
			continue
		}
		if known.repeated > 0 {
			_, _ = f.to.Write(known.counted(known.line, now)) // as with every line: nobody is left to tell
			known.line, known.repeated, known.written, known.pause = nil, 0, now, min(2*known.pause, longestPause)
			continue
		}
		if quiet > known.pause {
			delete(f.folded, key)
		}
	}
}

// counted adds to a line how often it came since it was last written, itself included.
func (k *fold) counted(line []byte, now time.Time) []byte {
	end := bytes.LastIndexByte(line, '}')
	if k.repeated == 0 || end < 0 {
		return line
	}
	since := now.Sub(k.written).Round(time.Second)
	return fmt.Appendf(bytes.Clone(line[:end]), `,"repeated":%d,"within":%q}%s`, k.repeated, since, line[end+1:])
}

// kindOf answers what makes two warnings the same: their texts without the numbers beside
// them, and the last part of an error, its cause. It is "" for a line that is always written.
func kindOf(line []byte) string {
	if bytes.Contains(line, []byte(`"trade_no"`)) {
		return ""
	}
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil || fields[zerolog.ErrorFieldName] == nil {
		return ""
	}
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, ok := fields[name].(string)
		if !ok || name == zerolog.TimestampFieldName {
			continue
		}
		if name == zerolog.ErrorFieldName {
			text = withoutDigits(text[strings.LastIndex(text, ": ")+1:])
		}
		key.WriteString(name + "=" + text + "\n")
	}
	return key.String()
}

func withoutDigits(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, text)
}
