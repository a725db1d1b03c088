package evidence

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Latency holds the response times of all successes of an operation, in all timed repetitions.
type Latency struct {
	Scenario  string // if empty, any scenario of the side
	Op        string
	Histogram *hdrhistogram.Histogram // nanoseconds
}

// readLatency reads the histograms of response times, and merges those of each operation. It leaves
// out histograms of anything else, whose tags contain a slash: service times and groups.
func (e *Evidence) readLatency(r io.Reader, scenario string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLatencyLine)
	var sums []*histogramSum
	var d histogramDecoder
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
		i := slices.IndexFunc(sums, func(s *histogramSum) bool { return s.op == string(tag) })
		if i < 0 && len(sums) == maxLatencyOps {
			return nil
		}
		if i < 0 {
			first, err := hdrhistogram.Decode(fields[3])
			if err == nil {
				sums = append(sums, &histogramSum{string(tag), first.Export()})
			}
			return err
		}
		return d.add(sums[i], fields[3])
	}
	var err error
	for n := 1; err == nil && lines.Scan(); n++ {
		if err = read(lines.Bytes()); err != nil {
			err = fmt.Errorf("line %d: %w", n, err)
		}
	}
	for _, s := range sums {
		e.Latency = append(e.Latency, Latency{Scenario: scenario, Op: s.op, Histogram: hdrhistogram.Import(s.Snapshot)})
	}
	return errors.Join(err, lines.Err())
}

// A histogramSum is the sum of the histograms of an operation.
type histogramSum struct {
	op string
	*hdrhistogram.Snapshot
}

// A histogramDecoder adds encoded histograms to sums. An hour in intervals of a second has over ten
// thousand of them. hdrhistogram-go makes a histogram of each, with some 20,000 counts of which few
// are used, and takes about a millisecond for it.
type histogramDecoder struct {
	compressed []byte
	payload    bytes.Buffer
	zlib       io.ReadCloser
}

// The format of histograms: version 2 of HdrHistogram's encoding. A cookie's second hexadecimal digit
// from the right is the size of a word, which doesn't matter here.
const (
	plainCookie      = 0x1c849303
	compressedCookie = 0x1c849304
	cookieMask       = ^uint32(0xf0)
	headerLength     = 40
)

// add adds an encoded histogram to the sum.
func (d *histogramDecoder) add(sum *histogramSum, text []byte) error {
	same, counts, err := d.counts(sum, text)
	if err != nil {
		return err
	}
	if same {
		return addCounts(sum.Counts, counts)
	}
	other, err := hdrhistogram.Decode(text)
	if err != nil {
		return err
	}
	all := hdrhistogram.Import(sum.Snapshot)
	all.Merge(other)
	sum.Snapshot = all.Export()
	return nil
}

// counts returns the encoded counts of a histogram. They are valid until the next call. It reports
// false if the histogram divides values otherwise than the sum does.
func (d *histogramDecoder) counts(sum *histogramSum, text []byte) (same bool, counts []byte, err error) {
	if d.compressed, err = base64.StdEncoding.AppendDecode(d.compressed[:0], text); err != nil {
		return false, nil, err
	}
	c := d.compressed
	if len(c) < 8 || binary.BigEndian.Uint32(c)&cookieMask != compressedCookie {
		return false, nil, nil
	}
	if d.zlib == nil {
		d.zlib, err = zlib.NewReader(bytes.NewReader(c[8:]))
	} else {
		err = d.zlib.(zlib.Resetter).Reset(bytes.NewReader(c[8:]), nil)
	}
	if err != nil {
		return false, nil, err
	}
	d.payload.Reset()
	limit := int64(headerLength + 9*len(sum.Counts))
	if _, err := d.payload.ReadFrom(io.LimitReader(d.zlib, limit)); err != nil {
		return false, nil, err
	}
	p := d.payload.Bytes()
	if len(p) < headerLength || binary.BigEndian.Uint32(p)&cookieMask != plainCookie {
		return false, nil, nil
	}
	if binary.BigEndian.Uint32(p[8:]) != 0 || // the offset of the counts
		int64(binary.BigEndian.Uint32(p[12:])) != sum.SignificantFigures ||
		int64(binary.BigEndian.Uint64(p[16:])) != sum.LowestTrackableValue ||
		int64(binary.BigEndian.Uint64(p[24:])) != sum.HighestTrackableValue {
		return false, nil, nil
	}
	counts = p[headerLength:]
	length := binary.BigEndian.Uint32(p[4:])
	if uint64(length) > uint64(len(counts)) {
		return false, nil, errors.New("the histogram is cut short")
	}
	return true, counts[:length], nil
}

// addCounts adds encoded counts to a histogram's counts.
func addCounts(to []int64, encoded []byte) error {
	for at := 0; len(encoded) > 0; {
		v, n := zigZag(encoded)
		if n == 0 {
			return errors.New("the histogram is cut short")
		}
		encoded = encoded[n:]
		switch {
		case v < 0 && -v <= int64(len(to)-at): // so many zeros
			at += int(-v)
		case v >= 0 && at < len(to) && to[at] <= math.MaxInt64-v:
			to[at] += v
			at++
		default:
			return errors.New("the histogram has a count that is out of its range")
		}
	}
	return nil
}

// zigZag decodes a number of variable length: its absolute value doubled, less one if it is negative,
// in groups of 7 bits, the lowest first. A ninth group has 8 bits. It returns the number's length, or
// 0 if it is cut short.
func zigZag(b []byte) (v int64, n int) {
	var u uint64
	for i := range min(9, len(b)) {
		if i == 8 || b[i] < 0x80 {
			u |= uint64(b[i]) << (7 * i)
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
		u |= uint64(b[i]&0x7f) << (7 * i)
	}
	return 0, 0
}
