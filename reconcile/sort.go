package reconcile

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// usualMemory is how many bytes are sorted at a time: 100,000 payouts with results and a statement fit in.
const usualMemory = 64 << 20

// mostFiles is how many temporary files are merged at a time, and so how many are open.
const mostFiles = 64

// perRecord is what a record takes in memory besides its text.
const perRecord = 32

// sorter sorts records that needn't fit into memory. One goroutine owns it.
type sorter struct {
	dir     string
	memory  int
	size    int
	records [][]byte
	files   []*os.File
}

func newSorter(dir string, memory int) *sorter {
	if memory == 0 {
		memory = usualMemory
	}
	return &sorter{dir: dir, memory: memory}
}

// addAll adds all of the input.
func (s *sorter) addAll(in Input) error {
	for o, err := range orNothing(in.Orders) {
		if err = s.add(o.encode(), err); err != nil {
			return fmt.Errorf("reconcile: the commands: %w", err)
		}
	}
	for r, err := range orNothing(in.Results) {
		if err = s.add(r.encode(), err); err != nil {
			return fmt.Errorf("reconcile: the results: %w", err)
		}
	}
	for p, err := range orNothing(in.Payouts) {
		if err = s.addPayout(p, err); err != nil {
			return fmt.Errorf("reconcile: the payouts: %w", err)
		}
	}
	for l, err := range orNothing(in.Lines) {
		if err == nil && stateNames[l.State] == "" {
			err = fmt.Errorf("a line has the state %d, which is none", l.State)
		}
		if err = s.add(l.encode(), err); err != nil {
			return fmt.Errorf("reconcile: the statement: %w", err)
		}
	}
	return nil
}

// orNothing is an input, which may be missing.
func orNothing[T any](in iter.Seq2[T, error]) iter.Seq2[T, error] {
	if in == nil {
		return func(func(T, error) bool) {}
	}
	return in
}

func (s *sorter) addPayout(p Payout, err error) error {
	for _, o := range p.Orders {
		if err == nil {
			err = s.add(o.encode(), nil)
		}
	}
	for _, r := range p.Results {
		if err == nil {
			err = s.add(r.encode(), nil)
		}
	}
	return err
}

func (s *sorter) add(record []byte, err error) error {
	if err != nil {
		return err
	}
	s.records = append(s.records, record)
	if s.size += len(record) + perRecord; s.size < s.memory {
		return nil
	}
	if err := s.spill(s.inMemory(), false); err != nil {
		return err
	}
	clear(s.records)
	s.records, s.size = s.records[:0], 0
	if len(s.files) < mostFiles {
		return nil
	}
	return s.spill(s.merged(), true)
}

// inMemory are the records in memory in their order.
func (s *sorter) inMemory() iter.Seq2[[]byte, error] {
	slices.SortFunc(s.records, bytes.Compare)
	return func(yield func([]byte, error) bool) {
		for _, r := range s.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// spill writes records into a new file. With instead it takes the place of all others.
func (s *sorter) spill(records iter.Seq2[[]byte, error], instead bool) error {
	file, err := os.CreateTemp(s.dir, "reconcile-*")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	for r, e := range records {
		if e != nil {
			err = e
			break
		}
		_, e1 := out.Write(binary.AppendUvarint(nil, uint64(len(r))))
		_, e2 := out.Write(r)
		if err = errors.Join(e1, e2); err != nil {
			break
		}
	}
	err = errors.Join(err, out.Flush())
	if instead {
		err = errors.Join(err, s.close())
	}
	s.files = append(s.files, file)
	return err
}

// close removes the temporary files.
func (s *sorter) close() (err error) {
	for _, f := range s.files {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	s.files = nil
	return err
}

// sorted are all records in their order.
func (s *sorter) sorted() iter.Seq2[[]byte, error] {
	if len(s.files) == 0 {
		return s.inMemory()
	}
	if err := s.spillRest(); err != nil {
		return func(yield func([]byte, error) bool) { yield(nil, err) }
	}
	return s.merged()
}

func (s *sorter) spillRest() error {
	if len(s.records) == 0 {
		return nil
	}
	err := s.spill(s.inMemory(), false)
	s.records = nil
	return err
}

// merged are the records of all files in their order.
func (s *sorter) merged() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var all sources
		for _, f := range s.files {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				yield(nil, err)
				return
			}
			from := &source{in: bufio.NewReader(f)}
			if err := from.next(); err == nil {
				all = append(all, from)
			} else if !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
		}
		heap.Init(&all)
		for len(all) > 0 {
			if !yield(all[0].record, nil) {
				return
			}
			err := all[0].next()
			switch {
			case errors.Is(err, io.EOF):
				heap.Pop(&all)
			case err != nil:
				yield(nil, err)
				return
			default:
				heap.Fix(&all, 0)
			}
		}
	}
}

// source is one temporary file that is read.
type source struct {
	in     *bufio.Reader
	record []byte
}

// next reads the next record; io.EOF after the last one.
func (s *source) next() error {
	size, err := binary.ReadUvarint(s.in)
	if err != nil {
		return err
	}
	s.record = make([]byte, size)
	if _, err := io.ReadFull(s.in, s.record); err != nil {
		return errRecord
	}
	return nil
}

// sources is a heap: the file with the least record is first.
type sources []*source

func (all sources) Len() int           { return len(all) }
func (all sources) Less(i, j int) bool { return bytes.Compare(all[i].record, all[j].record) < 0 }
func (all sources) Swap(i, j int)      { all[i], all[j] = all[j], all[i] }

// Push adds a file.
func (all *sources) Push(x any) {
	if s, is := x.(*source); is {
		*all = append(*all, s)
	}
}

// Pop takes the last one.
func (all *sources) Pop() any {
	last := (*all)[len(*all)-1]
	*all = (*all)[:len(*all)-1]
	return last
}
