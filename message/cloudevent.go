package message

import (
	"net/url"
	"time"
)

// CloudEvent is an event of another program than the service, such as those of batches.
type CloudEvent struct {
	ID, Source, Type, Subject string
	Time                      time.Time
	Key                       string
	Value                     []byte // JSON
}

// EncodeCloudEvent writes it as a CloudEvent 1.0 in binary mode. A subject may be any text: what a header doesn't take is
// percent-encoded.
func EncodeCloudEvent(e CloudEvent) Message {
	return Message{Key: []byte(e.Key), Value: e.Value, Headers: []Header{
		header("ce_specversion", "1.0"),
		header(EventIDHeader, e.ID),
		header("ce_source", e.Source),
		header("ce_type", e.Type),
		header("ce_subject", url.PathEscape(e.Subject)),
		header(EventTimeHeader, e.Time.UTC().Format(time.RFC3339Nano)),
		header("content-type", "application/json"),
	}}
}
