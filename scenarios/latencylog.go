package scenarios

import (
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencyLog writes latency.hlog: HdrHistogram's log, an interval histogram a
// repetition and operation, tagged with the operation. Values are response times
// in nanoseconds; the log's own maximum column is in milliseconds, as usual.
type latencyLog struct {
	file *os.File
	log  *hdrhistogram.HistogramLogWriter
}

// newLatencyLog begins the log of a run that started then. The file is the caller's.
func newLatencyLog(f *os.File, started time.Time) (*latencyLog, error) {
	l := &latencyLog{f, hdrhistogram.NewHistogramLogWriter(f)}
	ms := started.UnixMilli()
	l.log.SetBaseTime(ms)
	for _, begin := range []func() error{
		func() error {
			return l.log.OutputComment("[Fleetmark: response times in nanoseconds, one interval a repetition and operation]")
		},
		l.log.OutputLogFormatVersion,
		func() error { return l.log.OutputStartTime(ms) },
		func() error { return l.log.OutputBaseTime(ms) },
		l.log.OutputLegend,
		f.Sync,
	} {
		if err := begin(); err != nil { // a full disk would refuse the others too
			return nil, err
		}
	}
	return l, nil
}

func (l *latencyLog) write(load LoadSpec, m *measured) error {
	start, end := m.started.UnixMilli(), m.started.Add(m.elapsed).UnixMilli()
	for _, op := range load.Operations() {
		h := m.ops[op].response
		h.SetTag(string(op))
		h.SetStartTimeMs(start)
		h.SetEndTimeMs(end)
		if err := l.log.OutputIntervalHistogram(h); err != nil {
			return err
		}
	}
	return l.file.Sync()
}
