package api

import "disburser/backoffice/files"

// File is what the back office says of a file of payouts.
type File struct {
	files.Report
	Count     int            `json:"count" doc:"payouts"`
	Batches   map[string]int `json:"batches" doc:"payouts by batchId; those without one under the empty name"`
	Known     Known          `json:"known" doc:"which of them the books know already"`
	Published int            `json:"published" doc:"commands that Kafka has acknowledged; 0 of a dry run"`
}

// Known says which payouts of a file were ordered before.
type Known struct {
	Same    int            `json:"same" doc:"with the same content: they are counted as duplicates, and paid once"`
	Other   int            `json:"other" doc:"with another content: each becomes a dead letter, and pays nothing"`
	Others  []string       `json:"others,omitempty" doc:"some tradeNos of them"`
	Batches map[string]int `json:"batches,omitempty" doc:"the same ones, by the batch they are in"`
	SameAs  string         `json:"sameAs,omitempty" doc:"a batch with exactly this content, by its digest: of another name, or one whose payouts the books no longer keep"`
}

// BadFile is the problem of a file that can't be sent.
type BadFile struct {
	Problem
	files.Report
}

// Error says how much is wrong.
func (b *BadFile) Error() string { return b.Detail }

// GetStatus is the status of the answer.
func (b *BadFile) GetStatus() int { return b.Status }

// ContentType is that of problem details.
func (b *BadFile) ContentType(string) string { return "application/problem+json" }
