package evidence_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// hlog returns a latency log as a run writes it, with an interval for each tag. Each interval has
// one value: 1000 ns times its number, from 1.
func hlog(t testing.TB, tags ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	log := hdrhistogram.NewHistogramLogWriter(&b)
	require.NoError(t, log.OutputLogFormatVersion())
	for i, tag := range tags {
		h := hdrhistogram.New(1, 1_000_000_000, 3)
		require.NoError(t, h.RecordValue(int64(1000*(i+1))))
		h.SetTag(tag)
		require.NoError(t, log.OutputIntervalHistogram(h))
	}
	return b.Bytes()
}

// files are the files of a run directory by name.
type files map[string][]byte

// read reads the evidence of a run directory with these files.
func read(t testing.TB, run results.Run, content files) evidence.Evidence {
	t.Helper()
	dir := t.TempDir()
	for name, data := range content {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return evidence.Read(&rundir.Loaded{Run: run, Path: dir})
}

func TestRead(t *testing.T) {
	failure := `{"repetition":1,"device":3,"address":"http://127.1.0.3","operation":"push","class":"timeout","error":"late"}` + "\n"
	e := read(t, results.Run{}, files{
		rundir.LatencyFile: hlog(t, "push", "verify", "push"), rundir.FailuresFile: []byte(failure + failure),
	})
	require.Empty(t, e.Warnings)
	require.Len(t, e.Latency, 2)
	require.Equal(t, "push", e.Latency[0].Op)
	require.EqualValues(t, 2, e.Latency[0].Histogram.TotalCount())
	require.InDelta(t, 3000, e.Latency[0].Histogram.Max(), 3)
	require.Len(t, e.Failures, 2)
	require.Equal(t, evidence.Failure{Repetition: 1, Device: 3, Operation: "push", Class: "timeout", Error: "late"},
		e.Failures[0])

	two := hlog(t, "push", "push")
	e = read(t, results.Run{FileLengths: map[string]int64{rundir.LatencyFile: int64(len(two))}},
		files{rundir.LatencyFile: append(two, "garbage beyond what the run vouches for"...)})
	require.Empty(t, e.Warnings)
	require.EqualValues(t, 2, e.Latency[0].Histogram.TotalCount())

	require.Empty(t, read(t, results.Run{}, nil), "a run without any of the files")
	require.Empty(t, evidence.Read(nil))
	require.Empty(t, evidence.Read(&rundir.Loaded{}), "a run that isn't in a directory")
}

func TestReadKeepsValidLines(t *testing.T) {
	well := hlog(t, "push")
	e := read(t, results.Run{}, files{
		rundir.LatencyFile:  append(well, "Tag=push,1.0,2.0,3.0,HISTgarbage\n"...),
		rundir.FailuresFile: []byte("{\"class\":\"timeout\"}\n{\"class\":\n"),
	})
	require.Len(t, e.Latency, 1)
	require.Len(t, e.Failures, 1)
	require.Len(t, e.Warnings, 2)
	require.Contains(t, e.Warnings[0], "latency.hlog: not all of it can be shown")
	require.Contains(t, e.Warnings[1], "failures.jsonl: not all of it can be shown (line 2: ")
}

func TestReadIsBounded(t *testing.T) {
	var tags []string
	for i := range 40 {
		tags = append(tags, fmt.Sprint("op", i))
	}
	e := read(t, results.Run{}, files{
		rundir.LatencyFile:  hlog(t, tags...),
		rundir.FailuresFile: []byte(strings.Repeat("{\"class\":\"timeout\"}\n", 20_000+5)),
	})
	require.Len(t, e.Latency, 16)
	require.Len(t, e.Failures, 20_000)
	require.Contains(t, e.Warnings[0], "more than 20000 lines")
}

// TestReadLatency_leavesOutOtherTags checks that service times and groups aren't mixed with
// response times.
func TestReadLatency_leavesOutOtherTags(t *testing.T) {
	e := read(t, results.Run{}, files{
		rundir.LatencyFile: hlog(t, "push", "push/service", "push/group=a", "deliver", "push/group=a/service", "push"),
	})
	require.Empty(t, e.Warnings)
	require.Len(t, e.Latency, 2)
	require.EqualValues(t, 2, e.Latency[0].Histogram.TotalCount())
	require.InDelta(t, 6000, e.Latency[0].Histogram.Max(), 6)
	require.Equal(t, "deliver", e.Latency[1].Op)
}

func FuzzReadLatency(f *testing.F) {
	f.Add(hlog(f, "push", "push"))
	f.Add([]byte("1,2,3,HISTFAAAADZ4AQTAMQ3AIBAAwGvfQJOuBCtoYcAJIxsKMIEuJHCpzx8BCMDHk+seygFWe28AAAD//15+BVY=\n"))
	f.Add([]byte("Tag=push,,,,\nTag=\n"))
	two := hlog(f, "push")
	f.Fuzz(func(t *testing.T, log []byte) {
		e := read(t, results.Run{}, files{rundir.LatencyFile: append(two[:len(two):len(two)], log...)})
		require.NotEmpty(t, e.Latency)
		require.GreaterOrEqual(t, e.Latency[0].Histogram.TotalCount(), int64(1))
	})
}
