package service

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// mostOfFile and mostLines bound a file: its room on the disk, and the memory that its lines take.
	mostOfFile = 256 << 20
	mostLines  = 2_000_000

	// uploadsAtOnce is how many files are kept on the disk at most.
	uploadsAtOnce = 8

	// steady is how long nothing may come of a file, restFor how long the rest of one may come that is refused.
	steady  = 30 * time.Second
	restFor = 5 * time.Second
)

// spool keeps the body where it can be read twice: in a file without a name, which is gone with the process.
func spool(body io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "payouts-*")
	if err != nil {
		return nil, huma.Error503ServiceUnavailable("the file can't be kept while it is looked at: is the disk full?")
	}
	_ = os.Remove(file.Name()) // where that can't be, it is for its owner only
	n, err := io.Copy(file, io.LimitReader(body, mostOfFile+1))
	var disk *fs.PathError
	switch {
	case errors.As(err, &disk):
		file.Close()
		return nil, huma.Error503ServiceUnavailable("the file can't be kept while it is looked at: is the disk full?")
	case err != nil:
		file.Close()
		return nil, huma.Error400BadRequest("the file didn't come whole: send it again")
	case n > mostOfFile:
		file.Close()
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("the file is larger than %d MB: cut it in two", mostOfFile>>20))
	}
	return file, nil
}

// steadyReader reads a body that goes on coming, and comes to an end in time.
type steadyReader struct {
	body   io.Reader
	limits *http.ResponseController
	until  time.Time
}

// Read gives each part its time.
func (r steadyReader) Read(to []byte) (int, error) {
	next := time.Now().Add(steady)
	if next.After(r.until) {
		next = r.until
	}
	_ = r.limits.SetReadDeadline(next) // every server of net/http can
	return r.body.Read(to)
}

// errTooManyLines ends a file that has more lines than memory allows.
var errTooManyLines = fmt.Errorf("the file has more than %d lines: cut it in two", mostLines)

// lineLimit reads so many lines at most.
type lineLimit struct {
	in   io.Reader
	left int
}

// Read counts.
func (l *lineLimit) Read(to []byte) (int, error) {
	n, err := l.in.Read(to)
	if l.left -= bytes.Count(to[:n], []byte{'\n'}); l.left < 0 {
		return 0, errTooManyLines
	}
	return n, err
}
