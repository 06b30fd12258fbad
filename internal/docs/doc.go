// Package docs promises that what the documents name exists: rules, sections, files,
// programs and their flags, make targets, tests, metrics. It holds tests only.
package docs
