package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"disburser/message"
	"disburser/payout"
)

var mark = []byte("\xef\xbb\xbf")

// sniff tells by its first character whether a file is JSON lines. It answers the file, whole.
func sniff(in io.Reader) (isJSON bool, whole io.Reader, err error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	head, err := buffered.Peek(1 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, nil, err
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, mark), " \t\r\n")
	return len(head) > 0 && head[0] == '{', buffered, nil
}

// lines checks JSON lines.
func (c *checker) lines(in io.Reader) error {
	buffered := bufio.NewReaderSize(in, 64<<10)
	var value []byte
	for number := 1; ; number++ {
		line, err := readLine(buffered, value[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		ended := err != nil
		value = line
		if number == 1 {
			line = bytes.TrimPrefix(line, mark)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			c.report.Lines++
			before := c.wrongs
			if c.line(number, line); c.wrongs == before {
				c.good(line)
			}
		}
		if ended {
			return nil
		}
	}
}

// readLine reads a line with its end, and no more of it than a command may have and one byte more. io.EOF
// comes with the last line.
func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if room := message.MaxValueBytes + 1 - len(line); len(part) > max(room, 0) {
			part = part[:max(room, 0)]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// line checks a command.
func (c *checker) line(number int, value []byte) {
	orders, err := message.Decode(value)
	if err != nil {
		c.tell(number, "", advice(err.Error(), "correct the line: one payout as a JSON object, or a bulk of them"))
		return
	}
	for _, o := range orders {
		prefix := ""
		if o.Index >= 0 {
			prefix = fmt.Sprintf("payouts[%d].", o.Index)
		}
		if o.Unreadable != nil {
			c.tell(number, strings.TrimSuffix(prefix, "."), advice(o.Unreadable.Reason, "correct it: a payout is a JSON object with a tradeNo of its own"))
			continue
		}
		p, problems := c.judge(o, func(field string) string { return valueOf(o.Command, field) })
		told := map[string]bool{}
		for _, f := range problems {
			if !told[f.field] {
				c.tell(number, prefix+f.field, f.wrong)
			}
			told[f.field] = true
		}
		c.count(number, prefix+"tradeNo", p, len(problems) == 0)
	}
}

// valueOf is what a command has for a field, "" if it couldn't be read.
func valueOf(command payout.Command, field string) string {
	if name, is := strings.CutPrefix(field, payeePrefix); is {
		return command.Payee.Field(name)
	}
	switch field {
	case "amount":
		return command.Amount.String()
	case "merchant":
		return command.Merchant
	}
	return ""
}
