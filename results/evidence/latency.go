package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/internal/hdr"
)

// A Latency holds the response times of all successes of an operation, in all timed repetitions.
type Latency struct {
	Scenario  string // if empty, any scenario of the side
	Op        string
	Histogram *hdrhistogram.Histogram // nanoseconds
}

// readLatency reads the histograms of response times, and adds them up for each operation. It leaves
// out histograms of anything else, whose tags contain a slash: service times and groups.
func (e *Evidence) readLatency(r io.Reader, scenario string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLatencyLine)
	type operation struct {
		name string
		hdr.Sum
	}
	var operations []*operation
	histograms := 0
	read := func(line []byte) error {
		if len(line) == 0 || line[0] == '#' || line[0] == '"' { // a comment, or the names of the columns
			return nil
		}
		tag, isTagged := bytes.CutPrefix(line, []byte("Tag="))
		if isTagged {
			tag, line, _ = bytes.Cut(tag, []byte(","))
		} else {
			tag = nil
		}
		if bytes.Contains(tag, []byte("/")) {
			return nil
		}
		fields := bytes.Split(line, []byte(","))
		if len(fields) != 4 {
			return errors.New("want a start, a length, a maximum and a histogram")
		}
		if histograms++; histograms > maxHistograms {
			return fmt.Errorf("more than %d histograms", maxHistograms)
		}
		i := slices.IndexFunc(operations, func(o *operation) bool { return o.name == string(tag) })
		if i >= 0 {
			return operations[i].Add(fields[3])
		}
		if len(operations) == maxLatencyOps {
			return nil
		}
		o := &operation{name: string(tag)}
		err := o.Add(fields[3])
		if err == nil {
			operations = append(operations, o)
		}
		return err
	}
	var err error
	for n := 1; err == nil && lines.Scan(); n++ {
		if err = read(lines.Bytes()); err != nil {
			err = fmt.Errorf("line %d: %w", n, err)
		}
	}
	for _, o := range operations {
		e.Latency = append(e.Latency, Latency{Scenario: scenario, Op: o.name, Histogram: o.Histogram()})
	}
	return errors.Join(err, lines.Err())
}
