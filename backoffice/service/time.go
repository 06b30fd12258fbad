package service

import (
	"github.com/danielgtaylor/huma/v2"

	"disburser/backoffice/api"
)

// TimeParam is a time in a question.
type TimeParam struct{ api.Time }

// Schema describes it.
func (TimeParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"2026-11-25T08:00:00Z", "2026-11-25"}}
}
