package message

// Message is a Kafka message without a Kafka library: what an encoder here makes, and what a
// decoder reads.
type Message struct {
	Key, Value []byte
	Headers    []Header
}

// Header is a header of a Kafka message. A name may stand several times.
type Header struct {
	Key   string
	Value []byte
}

// New makes a Message of what a Kafka library has read. Its type of headers may be any that is
// made of the same two fields, such as that of kafka-go or franz-go.
func New[H ~struct {
	Key   string
	Value []byte
}](key, value []byte, headers []H) Message {
	return Message{Key: key, Value: value, Headers: HeadersOf(headers)}
}

// HeadersOf takes over the headers that a Kafka library has read. Their values aren't copied.
func HeadersOf[H ~struct {
	Key   string
	Value []byte
}](headers []H) []Header {
	if len(headers) == 0 {
		return nil
	}
	own := make([]Header, len(headers))
	for i, h := range headers {
		own[i] = Header(h)
	}
	return own
}

// HeadersAs makes a Kafka library's headers, to be published.
func HeadersAs[H ~struct {
	Key   string
	Value []byte
}](headers []Header) []H {
	theirs := make([]H, len(headers))
	for i, h := range headers {
		theirs[i] = H(h)
	}
	return theirs
}

// Header is the value of a header, "" if there is none. Of several with the same name it is the
// last: what the disburser adds to somebody's headers stands after them.
func (m Message) Header(name string) string {
	value, _ := lastOf(m.Headers, name)
	return value
}

func lastOf(headers []Header, name string) (value string, found bool) {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == name {
			return string(headers[i].Value), true
		}
	}
	return "", false
}

func header(name, value string) Header { return Header{Key: name, Value: []byte(value)} }
