package hdr

import (
	"encoding/base64"
	"strconv"
	"time"
)

// A LogWriter makes the lines of a log in HdrHistogram's format, version 1.3, with histograms in
// its compressed encoding V2. Its values are in nanoseconds, and its column of maxima in
// milliseconds, as usual. It allocates nothing, unless a histogram is larger than that of most
// intervals.
type LogWriter struct {
	base    time.Time // of the start times; a whole second
	encoder *Encoder
}

// NewLogWriter returns a writer of a log whose times count from the second in which started is.
func NewLogWriter(started time.Time) *LogWriter {
	return &LogWriter{started.UTC().Truncate(time.Second), NewEncoder()}
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
	dst = base64.StdEncoding.AppendEncode(dst, w.encoder.Encode(h))
	return append(dst, '\n')
}

func appendDecimal(dst []byte, v float64) []byte {
	return append(strconv.AppendFloat(dst, v, 'f', 6, 64), ',')
}
