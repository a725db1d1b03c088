package scenarios

import (
	"math"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
)

// measured is what one repetition came to.
type measured struct {
	started               time.Time // by the wall clock
	elapsed               time.Duration
	done, failed, retries int64
	failedP99             float64 // response time of the failed ones, ns; 0 where none failed
	cost                  cost
	traffic               delivery.Stats // of this repetition alone
	ops                   map[Operation]*tally
	plan                  *plan // nil for a closed load
	busiest               int   // workers of an open load that were busy at once, at most
	refused               refusals
	disturbed             string              // what else had the machine, in a clause; empty: nothing, or unknown
	descriptors           int                 // open when it ended; 0 where unknown
	ports                 *results.LocalPorts // when it ended; nil where unknown
	bytes                 int64               // of one artifact
	counts                results.Counts
	stopped               string  // why a rollout stopped; empty: it didn't
	limit                 float64 // operations a second that a search has found; 0 without one
}

// records are the repetition's lines in samples.txt, one an operation. What
// belongs to the load as a whole (rate, processor time, allocations, requests,
// memory) stands with the operation that the load asked for, because nobody can
// tell which half of a delivery allocated.
func (m *measured) records(s Spec, repetition int) []results.Record {
	var list []results.Record
	for _, op := range s.Load.Operations() {
		t := m.ops[op]
		if t.n == 0 {
			continue
		}
		r := results.Record{Scenario: s.Name, Op: string(op), Repetition: repetition, Ops: t.n}
		add := func(unit string, v float64) { r.Values = append(r.Values, results.Value{Unit: unit, Value: v}) }
		add("ns/op", t.mean())
		add("p50-ns/op", quantile(t.response, 50))
		add("p90-ns/op", quantile(t.response, 90))
		add("p99-ns/op", quantile(t.response, 99))
		add("p99.9-ns/op", quantile(t.response, 99.9))
		add("service-p99-ns/op", quantile(t.service, 99))
		if op == s.Load.Operation {
			m.whole(s, op, t, add)
		}
		list = append(list, r)
	}
	return list
}

// The runtime counts allocations of the whole process, and some dozens of objects a
// repetition are nobody's operation: a pool's list that grew, the progress that is
// shown. Divided by the operations that a machine got round to they would tell
// machines apart, where an operation that allocates nothing does so on all of them. So
// the figures go in steps. An operation's own objects are whole ones, of 8 bytes or more.
const (
	heapStep       = 8  // bytes
	stepsPerObject = 20 // 0.05 objects
)

func (m *measured) whole(s Spec, op Operation, t *tally, add func(string, float64)) {
	n, seconds := float64(t.n), m.elapsed.Seconds()
	add("ops/s", n/seconds)
	if m.limit > 0 {
		add(limitUnit, m.limit)
	}
	if op != Verify {
		add("MB/s", n*float64(m.bytes)/1e6/seconds)
	}
	if m.cost.processor > 0 {
		add("cpu-ns/op", float64(m.cost.processor)/n)
	}
	add("B/op", math.Round(float64(m.cost.bytes)/n/heapStep)*heapStep)
	add("allocs/op", math.Round(float64(m.cost.objects)/n*stepsPerObject)/stepsPerObject)
	// A device's turn is one operation: each device has one where each is visited
	// once, and many under a load that goes on for a time.
	turns := float64(m.done + m.failed)
	add("requests/device", float64(m.traffic.Requests)/turns)
	add("wire-B/device", math.Round(float64(m.traffic.BytesWritten+m.traffic.BytesRead)/turns))
	add("retries/device", float64(m.retries)/turns)
	add("failed/device", float64(m.failed)/turns)
	if s.Load.Model == Rolling {
		add("failed/fleet", float64(m.counts.Failed)/float64(max(1, m.counts.Devices)))
	}
	if m.failedP99 > 0 {
		add("failed-p99-ns/op", m.failedP99)
	}
	if m.cost.peakResident > 0 {
		add("peak-rss-B", float64(m.cost.peakResident))
	}
}

// percentiles are the median and the 99th percentile of an operation's response times; 0 where there are none.
func (m *measured) percentiles(op Operation) (p50, p99 time.Duration) {
	t := m.ops[op]
	if t == nil || t.n == 0 {
		return 0, 0
	}
	return time.Duration(quantile(t.response, 50)), time.Duration(quantile(t.response, 99))
}

// difference of two readings of a client's counters.
func difference(after, before delivery.Stats) delivery.Stats {
	return delivery.Stats{
		Requests: after.Requests - before.Requests, Dials: after.Dials - before.Dials, Reused: after.Reused - before.Reused,
		BytesWritten: after.BytesWritten - before.BytesWritten, BytesRead: after.BytesRead - before.BytesRead,
	}
}
