package hdr

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// A LogWriter makes the lines of a log in HdrHistogram's format, version 1.3, with histograms in
// its compressed encoding V2. Its values are in nanoseconds, and its column of maxima in
// milliseconds, as usual. It allocates nothing, unless a histogram is larger than that of most
// intervals.
type LogWriter struct {
	base       time.Time // of the start times; a whole second
	payload    []byte
	compressed *bytes.Buffer // begins with a frame
	zlib       *zlib.Writer
}

// NewLogWriter returns a writer of a log whose times count from the second in which started is.
func NewLogWriter(started time.Time) *LogWriter {
	w := &LogWriter{base: started.UTC().Truncate(time.Second)}
	w.compressed = bytes.NewBuffer(make([]byte, frameLength, 64<<10))
	var err error
	// Better compression than the fastest takes several times as long and saves a tenth.
	if w.zlib, err = zlib.NewWriterLevel(w.compressed, zlib.BestSpeed); err != nil {
		panic("hdr: " + err.Error()) // the level is a valid one
	}
	w.warm()
	return w
}

// warm makes w allocate what it needs for later histograms.
func (w *LogWriter) warm() {
	h := New(time.Minute)
	for i := range 4096 { // compresses as badly as the times of an interval with many operations
		h.counts[(i*i)%len(h.counts)] = uint64(i)
	}
	for i := range h.used {
		h.used[i] = 1<<min(64, len(h.counts)/block-i*64) - 1
	}
	w.encode(h)
}

// AppendHeader appends the lines that a log begins with.
func (w *LogWriter) AppendHeader(dst []byte, comment string) []byte {
	dst = append(dst, "#["+comment+"]\n#[Histogram log format version 1.3]\n#[StartTime: "...)
	dst = strconv.AppendInt(dst, w.base.Unix(), 10)
	dst = append(dst, " (seconds since epoch), "...)
	dst = w.base.AppendFormat(dst, time.RFC3339)
	dst = append(dst, "]\n#[BaseTime: "...)
	dst = strconv.AppendInt(dst, w.base.Unix(), 10)
	return append(dst, " (seconds since epoch)]\n"+
		"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"...)
}

// AppendInterval appends the line of a histogram that holds the times of one interval. The tag must
// not be empty or contain commas, spaces or line breaks.
func (w *LogWriter) AppendInterval(dst []byte, tag string, start, end time.Time, h *Histogram) []byte {
	dst = append(append(append(dst, "Tag="...), tag...), ',')
	dst = appendDecimal(dst, float64(start.Sub(w.base).Milliseconds())/1e3)
	dst = appendDecimal(dst, float64(end.Sub(w.base).Milliseconds()-start.Sub(w.base).Milliseconds())/1e3)
	dst = appendDecimal(dst, float64(h.Max())/float64(time.Millisecond))
	dst = base64.StdEncoding.AppendEncode(dst, w.encode(h))
	return append(dst, '\n')
}

func appendDecimal(dst []byte, v float64) []byte {
	return append(strconv.AppendFloat(dst, v, 'f', 6, 64), ',')
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

// encode returns the compressed encoding of a histogram. It is valid until the next call.
func (w *LogWriter) encode(h *Histogram) []byte {
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

// appendZigZag appends v as the format encodes numbers: its absolute value doubled, less one if it is
// negative, in groups of 7 bits, the lowest first. A ninth group has 8 bits.
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
