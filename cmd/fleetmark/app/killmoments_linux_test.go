package app

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// perishable is a scenario whose runs write to every file of a run directory: a tenth of its devices
// fail.
const perishable = `
name: perishable
description: what is left of it
fleet:
  devices: 40
  addressing: path
  groups: [{name: broken, share: 10%, behavior: {faults: [{kind: status-500}]}}]
artifact: {size: 3000B}
client: {max_attempts: 1}
load: {workers: 4}
repetitions: 4
warmup: 1
profiled: 1
`

const perishableRepetitions, perishableOperations = 4, 3

// perish prepares the perishable run in a directory of its own.
func perish(t *testing.T) (cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd, dir = command(t, "run", "perishable.yaml", "--no-progress")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "perishable.yaml"), []byte(perishable), 0o600))
	return cmd, dir
}

// A whole counts the entries that are complete in each file of a directory.
type whole struct{ intervals, failures, profiles int }

// requireTruth loads a run directory, in whatever state its run left it, and checks that run.json
// claims neither more nor less than the files hold, and that no repetition is there by half.
func requireTruth(t *testing.T, dir string) (*rundir.Loaded, whole) {
	t.Helper()
	run, err := rundir.Load(dir)
	require.NoError(t, err)
	said := strings.Join(run.Warnings, "\n")
	require.Equal(t, run.Status == results.StatusRunning, run.Unfinished)
	require.Equal(t, run.Unfinished, strings.Contains(said, "the run did not finish"), said)

	samples := map[string]int{}
	for _, r := range run.Records {
		samples[r.Op]++
	}
	ops := map[string]int{}
	if run.Repetitions > 0 {
		ops = map[string]int{"push": run.Repetitions, "verify": run.Repetitions, "deliver": run.Repetitions}
	}
	require.Equal(t, ops, samples, "a sample of each operation for each repetition that it counts")
	require.Contains(t, []int{run.Repetitions, run.Repetitions + 1}, len(run.RepetitionCounts),
		"the last failures may be of the profiled repetition")
	if len(run.RepetitionCounts) > run.Repetitions {
		require.Equal(t, perishableRepetitions, run.Repetitions)
	}

	var files whole
	sums := map[int]map[string]int64{} // operations by repetition and tag
	reader := hdrhistogram.NewHistogramLogReader(bufio.NewReader(bytes.NewReader(vouched(t, run, rundir.LatencyFile,
		said))))
	groups := map[string]int64{} // operations by tag, of the histograms of groups
	next := func() (*hdrhistogram.Histogram, error) {
		for {
			h, err := reader.NextIntervalHistogram()
			if h == nil || !strings.Contains(h.Tag(), rundir.GroupTag) {
				return h, err
			}
			groups[h.Tag()] += h.TotalCount()
		}
	}
	intervals, err := timeline.Read(bytes.NewReader(vouched(t, run, rundir.TimelineFile, said)))
	require.NoError(t, err)
	for _, v := range intervals {
		if sums[v.Repetition] == nil {
			sums[v.Repetition] = map[string]int64{}
		}
		for _, op := range v.Operations {
			h, err := next()
			require.NoError(t, err)
			require.NotNil(t, h)
			require.Equal(t, op.Op, h.Tag())
			require.Equal(t, op.Count, h.TotalCount())
			sums[v.Repetition][op.Op] += op.Count
			files.intervals++
		}
	}
	h, err := next()
	require.True(t, h == nil && (err == nil || errors.Is(err, io.EOF)), "each histogram belongs to an interval or a group")
	for _, g := range run.Groups {
		for _, op := range g.Operations {
			groups[op.Op+rundir.GroupTag+g.Name] -= op.Succeeded
		}
	}
	for tag, n := range groups {
		require.Zero(t, n, "%s has what run.json says of the group", tag)
	}
	for _, r := range run.Records {
		require.Equal(t, r.Ops, sums[r.Repetition][r.Op])
	}
	require.Len(t, sums, run.Repetitions)
	for line := range bytes.Lines(vouched(t, run, rundir.FailuresFile, said)) {
		var f runner.Failure
		require.NoError(t, json.Unmarshal(line, &f), "%q", line)
		require.LessOrEqual(t, f.Repetition, len(run.RepetitionCounts))
		files.failures++
	}
	vouched(t, run, rundir.SamplesFile, said)
	found, err := filepath.Glob(filepath.Join(dir, rundir.ProfilesName, "*.pb.gz"))
	require.NoError(t, err)
	for _, f := range found {
		_, err := profiles.Load(f)
		require.NoError(t, err)
		files.profiles++
	}
	return run, files
}

// vouched returns the part of a file that run.json vouches for. If the file holds more than that,
// loading the run must have warned of it.
func vouched(t *testing.T, run *rundir.Loaded, name, said string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run.Path, name))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	length, known := run.FileLengths[name] // if there is no length, no repetition was counted yet
	require.LessOrEqual(t, int(length), len(data), name)
	require.Equal(t, known && int(length) < len(data), strings.Contains(said, name+": the last "), said)
	return data[:length]
}

// runDirectory returns the run directory below dir, or "" if there is none yet. In that case a
// hidden directory may be left that was to be renamed, with nothing measured in it.
func runDirectory(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "runs"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	require.NoError(t, err)
	require.LessOrEqual(t, len(entries), 1)
	for _, e := range entries {
		path := filepath.Join(dir, "runs", e.Name())
		if !strings.HasPrefix(e.Name(), ".") {
			return path
		}
		require.NoFileExists(t, filepath.Join(path, rundir.SamplesFile))
	}
	return ""
}

// changes counts the changes of a run's files, by inotify(7).
type changes struct {
	dir     string
	fd      int
	events  *os.File
	n       int           // valid once counted is closed
	counted chan struct{} // closed when counting has ended
	moment  chan struct{} // receives a value at the change numbered at
	at      int
}

// countChanges begins to count changes below dir/runs.
func countChanges(t *testing.T, dir string, at int) *changes {
	t.Helper()
	runs := filepath.Join(dir, "runs")
	require.NoError(t, os.MkdirAll(runs, 0o700))
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(t, err)
	c := &changes{dir: runs, fd: fd, events: os.NewFile(uintptr(fd), "inotify"), counted: make(chan struct{}),
		moment: make(chan struct{}, 1), at: at}
	c.watch(runs)
	go c.count()
	return c
}

func (c *changes) watch(path string) {
	const what = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE
	_, _ = unix.InotifyAddWatch(c.fd, path, what) // a file that is gone again can't be watched, and needn't be
}

func (c *changes) count() {
	defer close(c.counted)
	buffer := make([]byte, 64<<10)
	for {
		length, err := c.events.Read(buffer)
		if err != nil {
			return // end closed the file
		}
		for at := 0; at+unix.SizeofInotifyEvent <= length; {
			event := buffer[at:] // wd, mask, cookie, length of the name, 4 bytes each
			at += unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(event[12:]))
			if binary.NativeEndian.Uint32(event[4:])&unix.IN_ISDIR != 0 {
				found, _ := filepath.Glob(filepath.Join(c.dir, "*")) // the pattern is valid
				for _, path := range found {
					c.watch(path)
					c.watch(filepath.Join(path, rundir.ProfilesName))
				}
			}
			if c.n++; c.n == c.at {
				c.moment <- struct{}{}
			}
		}
	}
}

// end stops counting and returns how many changes there were.
func (c *changes) end() int {
	_ = c.events.Close() // which ends the read in count
	<-c.counted
	return c.n
}

// TestKilledAtSeededMoments kills a run at 20 moments that a seed chooses: half of them anywhere in
// the run's length, the others at changes of its files, where the most can go wrong. The directory
// that is left loads, says that the run did not finish, and holds whole repetitions.
func TestKilledAtSeededMoments(t *testing.T) {
	testenv.Slow(t)
	onceOnly(t)
	cmd, dir := perish(t)
	c := countChanges(t, dir, 0)
	began := time.Now()
	require.NoError(t, cmd.Run())
	length, all := time.Since(began), c.end()
	require.Positive(t, all)
	run, files := requireTruth(t, runDirectory(t, dir))
	require.Equal(t, results.StatusFinished, run.Status)
	require.Equal(t, perishableRepetitions, run.Repetitions)
	// A repetition that takes longer than an interval has more of them.
	require.GreaterOrEqual(t, files.intervals, perishableRepetitions*perishableOperations)
	require.Zero(t, files.intervals%perishableOperations, "an interval has an entry for each operation")
	files.intervals = 0
	require.Equal(t, whole{failures: 5 * 4, profiles: len(profiles.Kinds())}, files)

	dice := rand.New(rand.NewPCG(20, 9))
	for i := range 20 {
		after, change := time.Duration(dice.Float64()*float64(length)), 1+dice.IntN(all)
		name := fmt.Sprintf("after %.2f of its length", float64(after)/float64(length))
		if i%2 == 1 {
			name = fmt.Sprintf("at %.2f of its changes", float64(change)/float64(all))
		}
		t.Run(name, func(t *testing.T) {
			cmd, dir := perish(t)
			c := countChanges(t, dir, change)
			if i%2 == 1 {
				after = time.Hour
			}
			require.NoError(t, cmd.Start())
			waited := make(chan struct{})
			go func() {
				defer close(waited)
				_ = cmd.Wait() // killed, unless it ended before
			}()
			timer := time.NewTimer(after)
			defer timer.Stop()
			moment := c.moment
			if i%2 == 0 {
				moment = nil
			}
			select {
			case <-timer.C:
			case <-moment:
			case <-waited:
			}
			_ = cmd.Process.Kill() // it may have ended
			<-waited
			c.end()
			path := runDirectory(t, dir)
			if path == "" {
				return // the run had not begun
			}
			run, files := requireTruth(t, path)
			t.Logf("%s, %d repetitions, %d intervals, %d failures, %d profiles, %q", run.Status, run.Repetitions,
				files.intervals, files.failures, files.profiles, run.Warnings)
			if run.Status == results.StatusFinished {
				require.Equal(t, perishableRepetitions, run.Repetitions)
				return
			}
			require.Equal(t, results.StatusRunning, run.Status)
			require.Empty(t, run.Verdict)
			require.NoFileExists(t, filepath.Join(path, rundir.ReportFile))
			out, err := exec.CommandContext(t.Context(), filepath.Join(built, "fleetmark"), "compare", path,
				path).CombinedOutput()
			if run.Repetitions == 0 {
				require.Error(t, err)
				require.Contains(t, string(out), "the run holds no samples")
				return
			}
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "the run did not finish")
		})
	}
	eventually(t, "the fleets end with their drivers", func() bool { return len(fleets(t)) == 0 })
}
