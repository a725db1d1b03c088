package hdr

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Sum adds up the encoded histograms of a log, whichever program wrote them. The zero Sum is
// empty. It isn't safe for concurrent use.
//
// An hour in intervals of a second has over ten thousand histograms. hdrhistogram-go makes a
// histogram of each, with some 20,000 counts of which few are used, and takes about a millisecond
// for it. A Sum lets it do that only for the first one, and for others that divide values
// otherwise.
type Sum struct {
	total      *hdrhistogram.Snapshot // nil while the Sum is empty
	compressed []byte
	payload    bytes.Buffer
	zlib       io.ReadCloser
}

// Histogram returns the sum. It returns nil if the Sum is empty.
func (s *Sum) Histogram() *hdrhistogram.Histogram {
	if s.total == nil {
		return nil
	}
	return hdrhistogram.Import(s.total)
}

// Add adds a histogram, which is encoded as the last column of a log has it.
func (s *Sum) Add(encoded []byte) error {
	if s.total != nil {
		same, counts, err := s.decode(encoded)
		if err != nil {
			return err
		}
		if same {
			return addCounts(s.total.Counts, counts)
		}
	}
	h, err := hdrhistogram.Decode(encoded)
	if err != nil {
		return err
	}
	if s.total != nil {
		all := s.Histogram()
		all.Merge(h)
		h = all
	}
	s.total = h.Export()
	return nil
}

// cookieMask leaves out the size of a word, which a cookie holds and which doesn't matter here.
const cookieMask = ^uint32(0xf0)

// decode returns the encoded counts of a histogram. They are valid until the next call. It reports
// false if the histogram divides values otherwise than the sum does, or has another format.
func (s *Sum) decode(encoded []byte) (same bool, counts []byte, err error) {
	if s.compressed, err = base64.StdEncoding.AppendDecode(s.compressed[:0], encoded); err != nil {
		return false, nil, err
	}
	c := s.compressed
	if len(c) < frameLength || binary.BigEndian.Uint32(c)&cookieMask != compressedCookie&cookieMask {
		return false, nil, nil
	}
	from := bytes.NewReader(c[frameLength:])
	if s.zlib == nil {
		s.zlib, err = zlib.NewReader(from)
	} else {
		err = s.zlib.(zlib.Resetter).Reset(from, nil)
	}
	if err != nil {
		return false, nil, err
	}
	s.payload.Reset()
	limit := int64(headerLength + 9*len(s.total.Counts))
	if _, err := s.payload.ReadFrom(io.LimitReader(s.zlib, limit)); err != nil {
		return false, nil, err
	}
	p := s.payload.Bytes()
	if len(p) < headerLength || binary.BigEndian.Uint32(p)&cookieMask != plainCookie&cookieMask {
		return false, nil, nil
	}
	if binary.BigEndian.Uint32(p[8:]) != 0 || // the offset of the counts
		int64(binary.BigEndian.Uint32(p[12:])) != s.total.SignificantFigures ||
		int64(binary.BigEndian.Uint64(p[16:])) != s.total.LowestTrackableValue ||
		int64(binary.BigEndian.Uint64(p[24:])) != s.total.HighestTrackableValue {
		return false, nil, nil
	}
	counts = p[headerLength:]
	length := binary.BigEndian.Uint32(p[4:])
	if uint64(length) > uint64(len(counts)) {
		return false, nil, errCutShort
	}
	return true, counts[:length], nil
}

// addCounts adds encoded counts to the counts of a histogram. A negative number is a run of as many
// zeros.
func addCounts(to []int64, encoded []byte) error {
	for at := 0; len(encoded) > 0; {
		v, n := zigZag(encoded)
		if n == 0 {
			return errCutShort
		}
		encoded = encoded[n:]
		switch {
		case v < 0 && -v <= int64(len(to)-at):
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

// zigZag decodes a number that appendZigZag has encoded. It returns the number's length, or 0 if it
// is cut short.
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
