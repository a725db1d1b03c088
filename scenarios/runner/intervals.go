package runner

import (
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// logComment is the first line of latency.hlog.
const logComment = "Fleetmark: times in nanoseconds, one interval of a repetition and operation a line; " +
	"response times, and with /service behind the operation service times; " +
	"with /group=NAME response times of a group of devices, in a whole repetition"

// An intervalLog writes the intervals of one repetition as lines of timeline.jsonl and
// latency.hlog. It writes them to the files of partial repetitions as they come, or keeps them if
// it has no directory.
type intervalLog struct {
	dir        *rundir.Directory // nil: the lines are kept
	repetition int
	started    time.Time // of the load, by the wall clock
	log        *hdr.LogWriter
	header     int // length of the header of the histograms' file

	times, histograms []byte // lines that are not written
	groups            []byte // lines that follow all others: the histograms of each group
	failed            error  // why no more lines can be written

	v       timeline.Interval // reused
	bytes   timeline.Bytes
	before  delivery.Stats // at the end of the last interval
	service []timeline.Times
	values  [3]int64
}

// percentiles are the percentages of the fields of [timeline.Times], without the maximum.
var percentiles = []float64{50, 90, 99}

// newIntervalLog begins the intervals of a repetition of a run that started at the given time.
func newIntervalLog(dir *rundir.Directory, repetition int, started time.Time) *intervalLog {
	return &intervalLog{
		dir: dir, repetition: repetition, log: hdr.NewLogWriter(started),
		times: make([]byte, 0, 8<<10), histograms: make([]byte, 0, 128<<10),
	}
}

// begin sets when the load began, and what the client had counted by then. stats is nil if it
// doesn't count.
func (l *intervalLog) begin(started time.Time, stats *delivery.Stats) {
	l.started = started
	if stats != nil {
		l.before, l.v.Bytes = *stats, &l.bytes
	}
	l.histograms = l.log.AppendHeader(l.histograms[:0], logComment)
	l.header = len(l.histograms)
	l.v.Operations, l.service = make([]timeline.Operation, 0, 3), make([]timeline.Times, 0, 3)
	l.write() // opens the files, before the allocations of the load are counted
}

// countBytes makes later intervals say how many bytes were written and read. Nothing had been
// counted when the load began.
func (l *intervalLog) countBytes() { l.v.Bytes = &l.bytes }

// add writes an interval. stats is what the client has counted, if it counts.
func (l *intervalLog) add(v *load.Interval, stats delivery.Stats) {
	to := &l.v
	to.Repetition, to.Time, to.StartNS, to.EndNS = l.repetition, l.started.Add(v.Start).UTC(), int64(v.Start), int64(v.End)
	to.Planned, to.Sent, to.Succeeded, to.Failed, to.BrokenOff = v.Planned, v.Sent, v.Succeeded, v.Failed, v.BrokenOff
	to.Retries, to.NotSent, to.InFlight, to.Classes, to.Wave = v.Retries, v.NotSent, v.InFlight, v.Classes, v.Wave
	l.bytes = timeline.Bytes{
		Written: int64(stats.BytesWritten - l.before.BytesWritten), Read: int64(stats.BytesRead - l.before.BytesRead),
	}
	l.before = stats
	to.Operations = to.Operations[:0]
	l.service = slices.Grow(l.service[:0], len(v.Times)) // so that pointers to its elements stay valid
	began, ended := l.started.Add(v.Start), l.started.Add(v.End)
	for _, times := range v.Times {
		if times.Count == 0 {
			continue
		}
		op := timeline.Operation{Op: string(times.Op), Count: times.Count, Response: l.summarize(times.Response)}
		l.histograms = l.log.AppendInterval(l.histograms, op.Op, began, ended, times.Response)
		if times.Planned() {
			l.service = append(l.service, l.summarize(times.Service))
			op.Service = &l.service[len(l.service)-1]
			l.histograms = l.log.AppendInterval(l.histograms, serviceTag(times.Op), began, ended, times.Service)
		}
		to.Operations = append(to.Operations, op)
	}
	l.times = to.AppendLine(l.times)
	l.write()
}

// serviceTag returns the tag of an operation's service times. It allocates nothing.
func serviceTag(op delivery.Op) string {
	switch op {
	case delivery.OpPush:
		return "push" + rundir.ServiceTag
	case delivery.OpVerify:
		return "verify" + rundir.ServiceTag
	}
	return "deliver" + rundir.ServiceTag
}

func (l *intervalLog) summarize(h *hdr.Histogram) timeline.Times {
	h.ValuesAtQuantiles(percentiles, l.values[:])
	return timeline.Times{P50NS: l.values[0], P90NS: l.values[1], P99NS: l.values[2], MaxNS: h.Max()}
}

// write appends the lines to the files of the directory, if there is one.
func (l *intervalLog) write() {
	if l.dir == nil || l.failed != nil {
		return
	}
	l.failed = l.dir.AppendPartial(
		rundir.Chunk{Name: rundir.PartialTimelineFile, Data: l.times},
		rundir.Chunk{Name: rundir.PartialLatencyFile, Data: l.histograms},
	)
	l.times, l.histograms = l.times[:0], l.histograms[:0]
}

// addGroups adds the histograms of each group of devices at the end of the load. They follow the
// lines of the intervals once the repetition is complete.
func (l *intervalLog) addGroups(groups []load.Part, ops []delivery.Op, elapsed time.Duration) {
	for _, g := range groups {
		for _, op := range ops {
			if times := g.Latencies[op]; times.Count > 0 {
				tag := string(op) + rundir.GroupTag + g.Name
				l.groups = l.log.AppendInterval(l.groups, tag, l.started, l.started.Add(elapsed), times.Response)
			}
		}
	}
}

// chunks returns the lines of the complete repetition, for the files of complete ones.
func (l *intervalLog) chunks() ([]rundir.Chunk, error) {
	if l.failed != nil {
		return nil, l.failed
	}
	groups := rundir.Chunk{Name: rundir.LatencyFile, Data: l.groups}
	if l.dir != nil {
		return []rundir.Chunk{
			rundir.Partial(rundir.TimelineFile, rundir.PartialTimelineFile, 0),
			rundir.Partial(rundir.LatencyFile, rundir.PartialLatencyFile, l.header), groups,
		}, nil
	}
	return []rundir.Chunk{
		{Name: rundir.TimelineFile, Data: l.times},
		{Name: rundir.LatencyFile, Data: l.histograms[min(l.header, len(l.histograms)):]}, groups,
	}, nil
}

// partialChunks returns the lines that are kept, for the files of partial repetitions. It returns
// nil if they are in these files already.
func (l *intervalLog) partialChunks() []rundir.Chunk {
	if l.dir != nil {
		return nil
	}
	return []rundir.Chunk{
		{Name: rundir.PartialTimelineFile, Data: l.times}, {Name: rundir.PartialLatencyFile, Data: l.histograms},
	}
}
