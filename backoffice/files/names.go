package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"disburser/internal/rows"
	"disburser/message"
)

// TradeNos answers the tradeNos of a file, in its order, and looks at nothing else. A line without a valid one is an error:
// who asks what is missing must not miss it.
func TradeNos(in io.Reader) (all []string, err error) {
	isJSON, in, err := sniff(in)
	if err != nil {
		return nil, err
	}
	if isJSON {
		return tradeNosOfLines(in)
	}
	table, err := rows.Open(in, func(name string) bool { return name == "tradeNo" })
	if err != nil {
		return nil, err
	}
	at := slices.Index(table.Header.Cells, "tradeNo")
	if at < 0 {
		return nil, errors.New("its first line names no column tradeNo")
	}
	for {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err == nil && row.Fault != nil {
			err = row.Fault
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", row.Line, err)
		}
		if at >= len(row.Cells) || !message.ValidTradeNo(row.Cells[at]) {
			return nil, fmt.Errorf("line %d has no valid tradeNo: payctl check tells more", row.Line)
		}
		all = append(all, row.Cells[at])
	}
}

func tradeNosOfLines(in io.Reader) (all []string, err error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	var value []byte
	for number := 1; ; number++ {
		line, err := readLine(buffered, value[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		ended := err != nil
		value = line
		if line = bytes.TrimSpace(bytes.TrimPrefix(line, mark)); len(line) > 0 {
			orders, err := message.Decode(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			for _, o := range orders {
				if o.Unreadable != nil {
					return nil, fmt.Errorf("line %d: %w", number, o.Unreadable)
				}
				all = append(all, o.Command.TradeNo)
			}
		}
		if ended {
			return all, nil
		}
	}
}
