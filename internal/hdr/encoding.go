package hdr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// An Encoder encodes histograms in HdrHistogram's compressed encoding V2, which the last column of
// a log has in base64. It allocates nothing, unless a histogram is larger than that of most
// intervals. It isn't safe for concurrent use.
type Encoder struct {
	payload    []byte
	compressed *bytes.Buffer // begins with a frame
	zlib       *zlib.Writer
}

// NewEncoder returns an encoder.
func NewEncoder() *Encoder {
	w := &Encoder{compressed: bytes.NewBuffer(make([]byte, frameLength, 64<<10))}
	var err error
	// Better compression than the fastest takes several times as long and saves a tenth.
	if w.zlib, err = zlib.NewWriterLevel(w.compressed, zlib.BestSpeed); err != nil {
		panic("hdr: " + err.Error()) // the level is a valid one
	}
	w.warm()
	return w
}

// warm makes w allocate what it needs for later histograms.
func (w *Encoder) warm() {
	h := New(time.Minute)
	for i := range 4096 { // compresses as badly as the times of an interval with many operations
		h.counts[(i*i)%len(h.counts)] = uint64(i)
	}
	for i := range h.used {
		h.used[i] = 1<<min(64, len(h.counts)/block-i*64) - 1
	}
	w.Encode(h)
}

// The cookies of the encoding: its version, and that counts are of variable length.
const (
	plainCookie      = 0x1c849303 | 0x10
	compressedCookie = 0x1c849304 | 0x10
)

// Lengths in the encoding.
const (
	frameLength  = 8  // of what precedes the compressed part: a cookie and its length
	headerLength = 40 // of what precedes the counts, in the compressed part
)

// Encode returns the encoding of a histogram. It is valid until the next call.
func (w *Encoder) Encode(h *Histogram) []byte {
	p := append(w.payload[:0], make([]byte, headerLength)...)
	p = h.appendCounts(p)
	binary.BigEndian.PutUint32(p, plainCookie)
	binary.BigEndian.PutUint32(p[4:], uint32(len(p)-headerLength))
	binary.BigEndian.PutUint32(p[8:], 0) // offset of the counts
	binary.BigEndian.PutUint32(p[12:], digits)
	binary.BigEndian.PutUint64(p[16:], unit)
	binary.BigEndian.PutUint64(p[24:], uint64(h.highest))
	binary.BigEndian.PutUint64(p[32:], math.Float64bits(1)) // ratio of values
	w.payload = p

	w.compressed.Truncate(frameLength)
	w.zlib.Reset(w.compressed)
	_, err := w.zlib.Write(p)
	if closing := w.zlib.Close(); err == nil {
		err = closing
	}
	if err != nil {
		panic("hdr: " + err.Error()) // a bytes.Buffer takes everything
	}
	out := w.compressed.Bytes()
	binary.BigEndian.PutUint32(out, compressedCookie)
	binary.BigEndian.PutUint32(out[4:], uint32(len(out)-frameLength))
	return out
}

// appendCounts appends the counts up to the last that isn't 0, each as a number of variable length;
// see appendZigZag. A negative number is a run of as many zeros.
func (h *Histogram) appendCounts(dst []byte) []byte {
	next := 0 // index of the first count that isn't written
	for at := range h.blocks {
		for i, n := range h.counts[at : at+block] {
			if n == 0 {
				continue
			}
			if zeros := at + i - next; zeros > 0 {
				dst = appendZigZag(dst, -int64(zeros))
			}
			dst = appendZigZag(dst, int64(n))
			next = at + i + 1
		}
	}
	return dst
}

// appendZigZag appends v as the format encodes numbers: its absolute value doubled, less one if it
// is negative, in groups of 7 bits, the lowest first. A ninth group has 8 bits.
func appendZigZag(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for range 8 {
		if u < 0x80 {
			return append(dst, byte(u))
		}
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

// A Decoder adds encoded histograms to others. It isn't safe for concurrent use. Its zero value is
// ready for use.
type Decoder struct {
	from    bytes.Reader
	payload bytes.Buffer
	zlib    io.ReadCloser
}

// Decode returns the histogram of an encoding, which must be one of times up to highest; see
// [Decoder.AddTo].
func Decode(encoded []byte, highest time.Duration) (*Histogram, error) {
	h := New(highest)
	if err := new(Decoder).AddTo(h, encoded); err != nil {
		return nil, err
	}
	return h, nil
}

// AddTo adds the counts of an encoded histogram to h. It returns an error, and adds nothing, if the
// encoding isn't a whole one that an [Encoder] could have made of a histogram with the same highest
// time, or if the sum of all counts would be more than an int64 holds. It never takes more memory
// than an encoding of h could need.
func (d *Decoder) AddTo(h *Histogram, encoded []byte) error {
	counts, sum, err := d.read(encoded, h.Highest(), math.MaxInt64-h.total)
	if err != nil {
		return err
	}
	_ = eachCount(counts, len(h.counts), func(i int, n int64) bool {
		h.counts[i] += uint64(n)
		h.used[i>>(blockBits+6)] |= 1 << (uint(i) >> blockBits & 63)
		return true
	})
	h.total += sum
	return nil
}

// Count returns how many times an encoded histogram counts. It returns the error that
// [Decoder.AddTo] would return for an empty histogram of times up to highest, and makes no
// histogram.
func (d *Decoder) Count(encoded []byte, highest time.Duration) (int64, error) {
	_, sum, err := d.read(encoded, highest, math.MaxInt64)
	return sum, err
}

// read returns the encoded counts of a histogram of times up to highest, and their sum, which must
// not be more than most. The counts are valid until the next call.
func (d *Decoder) read(encoded []byte, highest time.Duration, most int64) (counts []byte, sum int64, err error) {
	if counts, err = d.inflate(highest, encoded); err != nil {
		return nil, 0, err
	}
	err = eachCount(counts, index(max(int64(highest), 0))+1, func(_ int, n int64) bool {
		if n > most-sum {
			return false
		}
		sum += n
		return true
	})
	return counts, sum, err
}

// inflate returns the encoded counts of a histogram of times up to highest. They are valid until
// the next call.
func (d *Decoder) inflate(highest time.Duration, encoded []byte) (counts []byte, err error) {
	limit := headerLength + 9*length(highest)
	switch {
	case len(encoded) < frameLength:
		return nil, errCutShort
	case len(encoded) > limit+limit/64+1<<10: // zlib adds little to what it can't compress
		return nil, fmt.Errorf("the histogram has %d bytes, more than one of times up to %v needs", len(encoded), highest)
	case binary.BigEndian.Uint32(encoded)&cookieMask != compressedCookie&cookieMask:
		return nil, errors.New("the histogram has another encoding than V2")
	case int64(binary.BigEndian.Uint32(encoded[4:])) != int64(len(encoded)-frameLength):
		return nil, errCutShort
	}
	d.from.Reset(encoded[frameLength:])
	if d.zlib == nil {
		d.zlib, err = zlib.NewReader(&d.from)
	} else {
		err = d.zlib.(zlib.Resetter).Reset(&d.from, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("the histogram can't be decompressed: %w", err)
	}
	d.payload.Reset()
	if _, err := d.payload.ReadFrom(io.LimitReader(d.zlib, int64(limit)+1)); err != nil {
		return nil, fmt.Errorf("the histogram can't be decompressed: %w", err)
	}
	p := d.payload.Bytes()
	switch {
	case len(p) > limit, d.from.Len() > 0:
		return nil, errors.New("the histogram is followed by something else")
	case len(p) < headerLength:
		return nil, errCutShort
	case binary.BigEndian.Uint32(p)&cookieMask != plainCookie&cookieMask:
		return nil, errors.New("the histogram has another encoding than V2")
	case binary.BigEndian.Uint32(p[8:]) != 0 || binary.BigEndian.Uint32(p[12:]) != digits ||
		binary.BigEndian.Uint64(p[16:]) != unit || binary.BigEndian.Uint64(p[32:]) != math.Float64bits(1):
		return nil, errors.New("the histogram divides times otherwise")
	case binary.BigEndian.Uint64(p[24:]) != uint64(highest):
		return nil, fmt.Errorf("the histogram is of times up to %v, not %v",
			time.Duration(binary.BigEndian.Uint64(p[24:])), highest)
	case int64(binary.BigEndian.Uint32(p[4:])) != int64(len(p)-headerLength):
		return nil, errCutShort
	}
	return p[headerLength:], nil
}

var errCutShort = errors.New("the histogram is cut short")

// eachCount calls add with each count above 0 and its index, which is below limit. It returns an
// error if there is something else, and if add returns false.
func eachCount(encoded []byte, limit int, add func(i int, n int64) bool) error {
	for at := 0; len(encoded) > 0; {
		v, n := zigZag(encoded)
		if n == 0 {
			return errCutShort
		}
		encoded = encoded[n:]
		switch {
		case v < 0 && v >= -int64(limit-at):
			at += int(-v)
		case v == 0 && at < limit:
			at++
		case v > 0 && at < limit && add(at, v):
			at++
		default:
			return errors.New("the histogram has a count that is out of its range")
		}
	}
	return nil
}
