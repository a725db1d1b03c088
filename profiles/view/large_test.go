package view_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// The shape of a large profile. Calls fan out and a few are frequent, so some functions have a
// large share, and most stacks occur once.
const (
	largeFunctions = 4000
	largeLines     = 5 // call sites in a function
	largeCallees   = 8
	largeDepth     = 63 // at most
)

// largeProfile returns a CPU profile of the given number of stacks, most of them distinct.
func largeProfile(random *rand.Rand, stacks int) *profile.Profile {
	p := &profile.Profile{
		SampleType:    []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType:    &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:        10_000_000,
		TimeNanos:     1_700_000_000_000_000_000,
		DurationNanos: 10_000_000_000,
		Mapping:       []*profile.Mapping{{ID: 1, File: "/bin/large", HasFunctions: true}},
	}
	for f := range largeFunctions {
		name := fmt.Sprintf("example.com/large/package%03d.(*Type%02d).Method%04d", f%311, f%37, f)
		fn := &profile.Function{ID: uint64(f + 1), Name: name, SystemName: name}
		fn.Filename = fmt.Sprintf("/src/package%03d/file.go", f%311)
		p.Function = append(p.Function, fn)
		for line := range largeLines {
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: p.Mapping[0]}
			l.Address = 1<<20 + l.ID
			l.Line = []profile.Line{{Function: fn, Line: int64(10 + line)}}
			p.Location = append(p.Location, l)
		}
	}
	for range stacks {
		depth := largeDepth/2 + random.IntN(largeDepth/2)
		locations := make([]*profile.Location, depth)
		function := 0
		for d := depth - 1; d >= 0; d-- { // from the root
			locations[d] = p.Location[function*largeLines+random.IntN(largeLines)]
			callee := 0
			for callee < largeCallees-1 && random.IntN(2) == 0 {
				callee++
			}
			function = (function*31 + callee*977 + 1) % largeFunctions
		}
		n := 1 + int64(random.IntN(3))
		p.Sample = append(p.Sample, &profile.Sample{Location: locations, Value: []int64{n, n * p.Period}})
	}
	return p
}

// allocated returns how many bytes do allocates, including those that are freed again.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargeFlame checks that the page of a large profile is bounded and says what it leaves out. A
// page with all of its stacks would have 65 MB.
func TestLargeFlame(t *testing.T) {
	testenv.SlowRaced(t)
	stacks := 50_000
	if testenv.Raced {
		stacks = 10_000 // of which a page can't show all, either
	}
	p := largeProfile(rand.New(rand.NewPCG(1, 2)), stacks)
	var whole int64
	for _, s := range p.Sample {
		whole += s.Value[1]
	}
	path := profiletest.Write(t, t.TempDir(), "large.pb.gz", profiletest.Encode(t, p))
	var page bytes.Buffer
	var notes []string
	took := allocated(func() {
		var err error
		notes, err = view.Flame(t.Context(), &page, nil, []string{path}, view.FlameOptions{Title: "large"})
		require.NoError(t, err)
	})
	require.LessOrEqual(t, page.Len(), 5_000_000)
	require.Greater(t, page.Len(), 500_000, "more could have been drawn")
	require.Len(t, notes, 1)
	require.Regexp(t, fmt.Sprintf(`^to keep the page below 5 MB, `+
		`functions with less than 0\.0\d+%% of the whole on a path are drawn as \(left out\): `+
		`\d+ of %d stacks end there, with [\d.]+%% of the whole$`, stacks), notes[0])
	require.Contains(t, page.String(), notes[0])
	require.Contains(t, page.String(), `"FullName":"(left out)"`)
	require.Contains(t, page.String(), fmt.Sprintf(`{"Total":%d,`, whole), "what is left out still counts for the whole")
	// The bound includes garbage, so the heap's peak is lower. Drawing all stacks takes 1 GB.
	if !testenv.Raced { // sync.Pool drops some values under the race detector
		require.Less(t, took, uint64(300<<20))
	}

	var both bytes.Buffer
	notes, err := view.Flame(t.Context(), &both, []string{path}, []string{path},
		view.FlameOptions{DiffOptions: view.DiffOptions{Raw: true}})
	require.NoError(t, err)
	require.LessOrEqual(t, both.Len(), 5_000_000)
	require.Contains(t, strings.Join(notes, "\n"), fmt.Sprintf("of %d stacks end there", 2*stacks))
}

// TestFlameOfOneDeepStackIsBounded draws one deep stack with long names. Leaving out calls with a
// small share can't shorten it.
func TestFlameOfOneDeepStackIsBounded(t *testing.T) {
	testenv.SlowRaced(t)
	frames := make([]string, 20_000)
	for i := range frames {
		frames[i] = fmt.Sprintf("%s%05d", strings.Repeat("x/", 500), i)
	}
	p := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{strings.Join(frames, " "): 1})
	path := profiletest.Write(t, t.TempDir(), "deep.pb.gz", profiletest.Encode(t, p))
	var page bytes.Buffer
	notes, err := view.Flame(t.Context(), &page, nil, []string{path}, view.FlameOptions{})
	require.NoError(t, err)
	require.LessOrEqual(t, page.Len(), 5_000_000)
	require.Contains(t, strings.Join(notes, "\n"), "1 of 1 stacks end there, with 100% of the whole")
}

// TestLargeTablesEqualPprof checks that the numbers are those of go tool pprof, and that making
// them allocates less than package profile does to read the file.
func TestLargeTablesEqualPprof(t *testing.T) {
	testenv.SlowRaced(t)
	dir, stacks := t.TempDir(), 20_000
	if testenv.Raced {
		stacks = 4_000
	}
	base := profiletest.Write(t, dir, "base.pb.gz",
		profiletest.Encode(t, largeProfile(rand.New(rand.NewPCG(1, 2)), stacks)))
	now := profiletest.Write(t, dir, "now.pb.gz", profiletest.Encode(t, largeProfile(rand.New(rand.NewPCG(3, 4)), stacks)))
	require.Equal(t, goToolTop(t, []string{now}, "-nodecount=20"), top(t, []string{now}, view.TopOptions{}))
	theirs := goTool(t, "-top", "-nodecount=20", "-diff_base="+base, now)
	require.Equal(t, rows(theirs), rows(diff(t, base, now, view.DiffOptions{Raw: true})))

	if testenv.Raced { // sync.Pool drops some values under the race detector
		return
	}
	data, err := os.ReadFile(now)
	require.NoError(t, err)
	theirBytes := allocated(func() {
		_, err := profile.ParseData(data)
		require.NoError(t, err)
	})
	ours := allocated(func() { top(t, []string{now}, view.TopOptions{}) })
	require.Less(t, ours, theirBytes)
}

// TestServeRefusesLargeProfiles serves two sides of 5.5 million frames each, which together are too
// large.
func TestServeRefusesLargeProfiles(t *testing.T) {
	p := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"leaf": 1})
	deep := p.Sample[0]
	deep.Location = slices.Repeat(deep.Location, 5000)
	p.Sample = slices.Repeat(p.Sample, 1100)
	files := []string{profiletest.Write(t, t.TempDir(), "large.pb.gz", profiletest.Encode(t, p))}
	var l net.ListenConfig
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	opts := view.FlameOptions{DiffOptions: view.DiffOptions{Raw: true}}
	err = view.Serve(t.Context(), listener, files, files, opts)
	profiletest.RequireProblem(t, err, files[0], profiles.TooLarge)
	require.ErrorContains(t, err, "(stacks of 11000000 frames in all): want at most 10000000 for pages, or draw a flame graph")
}
