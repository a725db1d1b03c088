package timeline

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Bounds on what Read reads.
const (
	maxLine      = 1 << 20 // bytes
	MaxIntervals = 200_000 // lines; a month in intervals of 15 s
)

//go:embed timeline.schema.json
var schemaText string

// Schema returns the JSON Schema (draft 2020-12) of a line of timeline.jsonl.
func Schema() string { return schemaText }

// Read reads the intervals of timeline.jsonl, in the order in which they were written: by
// repetition, and by time. It ignores an incomplete last line, which a kill may leave. For any
// other line that it can't read, and for more than [MaxIntervals] lines, it returns an error
// together with the intervals before it.
func Read(r io.Reader) ([]Interval, error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	var list []Interval
	for n := 1; ; n++ {
		line, err := readLine(lines)
		switch {
		case err == io.EOF:
			return list, nil // what line holds was cut off
		case err != nil:
			return list, fmt.Errorf("line %d: %w", n, err)
		case len(list) == MaxIntervals:
			return list, fmt.Errorf("line %d: more than %d intervals", n, MaxIntervals)
		}
		var v Interval
		if err := json.Unmarshal(line, &v); err != nil {
			return list, fmt.Errorf("line %d: %w", n, err)
		}
		if v.Repetition < 1 || v.StartNS < 0 || v.EndNS < v.StartNS {
			return list, fmt.Errorf("line %d: repetition %d from %d to %d ns: want a repetition from 1 on "+
				"and an end after the start", n, v.Repetition, v.StartNS, v.EndNS)
		}
		if v.Time = v.Time.UTC(); v.Time.Year() < 1 || v.Time.Year() > 9999 {
			return list, fmt.Errorf("line %d: time %s: want a year from 1 to 9999", n, v.Time.Format(time.RFC3339))
		}
		list = append(list, v)
	}
}

// readLine returns the next line without its line feed. It returns io.EOF if there is no complete
// line.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		line = append(line, part...)
		switch err {
		case nil:
			return line[:len(line)-1], nil
		case bufio.ErrBufferFull:
		default:
			return line, err
		}
	}
}

// ByRepetition splits intervals into those of each repetition, in order.
func ByRepetition(list []Interval) [][]Interval {
	var all [][]Interval
	for i, v := range list {
		if i == 0 || v.Repetition != list[i-1].Repetition {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], v)
	}
	return all
}
