package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// runJournal is the file of a run about many payouts: the list that was shown, and a line for each step. A run that was
// killed goes on by it. The same command finds it by its name, which follows from what was typed.
type runJournal struct {
	name string
	file *os.File
	list []frozen          // nil while it is a new run
	said map[string]string // the action's id, by tradeNo
	over map[string]string // the result, by tradeNo
}

// openRun finds the run of a word about many payouts, or makes a new one.
func openRun(office string, w api.Word, where string, input []byte) (*runJournal, error) {
	folder := os.Getenv("XDG_STATE_HOME")
	if folder == "" {
		folder = expanded("~/.local/state")
	}
	folder = filepath.Join(folder, "payctl")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, cli.Setup(fmt.Errorf("the folder of runs: %w", err))
	}
	typed, err := json.Marshal([]any{office, w.Kind, w.As, w.Force, where, input})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(typed)
	j := &runJournal{name: filepath.Join(folder, w.Kind+"-"+hex.EncodeToString(sum[:8])+".jsonl"), said: map[string]string{}, over: map[string]string{}}
	if j.file, err = os.OpenFile(j.name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, cli.Setup(fmt.Errorf("the journal of the run: %w", err))
	}
	if err := j.read(); err != nil {
		return nil, errors.Join(cli.Setup(fmt.Errorf("read the journal of the run %s: %w; remove it to begin anew", j.name, err)), j.file.Close())
	}
	return j, nil
}

// read takes what stands there. A last line without an end was cut off: it is written anew.
func (j *runJournal) read() error {
	in := bufio.NewReader(j.file)
	whole := int64(0)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		if whole == 0 {
			err = json.Unmarshal(line, &j.list)
		} else {
			var st step
			err = json.Unmarshal(line, &st)
			j.take(st)
		}
		if err != nil {
			return err
		}
		whole += int64(len(line))
	}
	if err := j.file.Truncate(whole); err != nil {
		return err
	}
	_, err := j.file.Seek(whole, 0)
	return err
}

func (j *runJournal) take(st step) {
	j.said[st.TradeNo] = st.ID
	if st.Result != "" {
		j.over[st.TradeNo] = st.Result
	}
}

// begin writes the list that was shown.
func (j *runJournal) begin(list []frozen) error {
	j.list = list
	return j.write(list)
}

// note writes a step.
func (j *runJournal) note(st step) error {
	j.take(st)
	return j.write(st)
}

func (j *runJournal) write(value any) error {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the journal of the run: %w", err)
	}
	return nil
}

// left are the payouts of which nothing is known to have come.
func (j *runJournal) left() (left []frozen) {
	for _, f := range j.list {
		if _, over := j.over[f.TradeNo]; !over {
			left = append(left, f)
		}
	}
	return left
}

// close keeps the file only where a run has begun.
func (j *runJournal) close() {
	_ = j.file.Close() // each line was written at once
	if j.list == nil {
		_ = os.Remove(j.name)
	}
}

// remove ends the run.
func (j *runJournal) remove() error { return os.Remove(j.name) }
