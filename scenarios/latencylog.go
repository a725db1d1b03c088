package scenarios

import (
	"errors"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/results"
)

// latencyLog writes latency.hlog: HdrHistogram's log, an interval histogram a
// repetition and operation, tagged with the operation. Values are response times
// in nanoseconds; the log's own maximum column is in milliseconds, as usual.
type latencyLog struct {
	file *os.File
	log  *hdrhistogram.HistogramLogWriter
}

func newLatencyLog(dir *results.RunDirectory, started time.Time) (*latencyLog, error) {
	f, err := dir.File(results.LatencyFile)
	if err != nil {
		return nil, err
	}
	l := &latencyLog{f, hdrhistogram.NewHistogramLogWriter(f)}
	ms := started.UnixMilli()
	l.log.SetBaseTime(ms)
	return l, errors.Join(
		l.log.OutputComment("[Fleetmark: response times in nanoseconds, one interval a repetition and operation]"),
		l.log.OutputLogFormatVersion(), l.log.OutputStartTime(ms), l.log.OutputBaseTime(ms), l.log.OutputLegend(), f.Sync())
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
