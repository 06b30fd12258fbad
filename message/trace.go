package message

import "disburser/payout"

// The headers of a caller's trace, by W3C Trace Context. They travel from the command to the
// result.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// longestTrace bounds each of them in bytes: the standard asks for no more than 512.
const longestTrace = 512

// DecodeTrace reads the headers of a trace. One that is too long is left out.
func DecodeTrace(headers []Header) payout.Trace {
	bounded := func(name string) string {
		value, _ := lastOf(headers, name)
		if len(value) > longestTrace {
			return ""
		}
		return value
	}
	return payout.Trace{Parent: bounded(traceParent), State: bounded(traceState)}
}

// traceHeaders writes each part that is known.
func traceHeaders(t payout.Trace) (headers []Header) {
	if t.Parent != "" {
		headers = append(headers, header(traceParent, t.Parent))
	}
	if t.State != "" {
		headers = append(headers, header(traceState, t.State))
	}
	return headers
}
