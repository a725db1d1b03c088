package runner

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// latencyLog makes latency.hlog: HdrHistogram's log, an interval histogram a
// repetition and operation, tagged with the operation. Values are response times
// in nanoseconds; the log's own maximum column is in milliseconds, as usual.
type latencyLog struct {
	text bytes.Buffer // what log has written and nobody has taken
	log  *hdrhistogram.HistogramLogWriter
}

// newLatencyLog begins the log of a run that started then, and gives its head.
func newLatencyLog(started time.Time) (*latencyLog, rundir.Chunk, error) {
	l := &latencyLog{}
	l.log = hdrhistogram.NewHistogramLogWriter(&l.text)
	ms := started.UnixMilli()
	l.log.SetBaseTime(ms)
	err := errors.Join(
		l.log.OutputComment("[Fleetmark: response times in nanoseconds, one interval a repetition and operation]"),
		l.log.OutputLogFormatVersion(), l.log.OutputStartTime(ms), l.log.OutputBaseTime(ms), l.log.OutputLegend(),
	)
	return l, l.taken(), err
}

// taken is what was written since the last time.
func (l *latencyLog) taken() rundir.Chunk {
	defer l.text.Reset()
	return rundir.Chunk{Name: rundir.LatencyFile, Data: slices.Clone(l.text.Bytes())}
}

// interval is a repetition's part of the log.
func (l *latencyLog) interval(spec scenarios.LoadSpec, m *measured) (rundir.Chunk, error) {
	start, end := m.started.UnixMilli(), m.started.Add(m.Elapsed).UnixMilli()
	for _, op := range spec.Operations() {
		h := m.latencies[op].Response
		h.SetTag(string(op))
		h.SetStartTimeMs(start)
		h.SetEndTimeMs(end)
		if err := l.log.OutputIntervalHistogram(h); err != nil {
			return rundir.Chunk{}, err
		}
	}
	return l.taken(), nil
}
