package view_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

func diff(t *testing.T, base, now string, opts view.DiffOptions) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, view.Diff(t.Context(), &text, []string{base}, []string{now}, opts))
	return text.String()
}

// tangled returns a profile of random stacks, with functions that are recursive, inlined in one
// place and called in another, have negative values, or have no name.
func tangled(random *rand.Rand) *profile.Profile {
	stacks := map[string]int64{}
	name := func() string { return string(rune('a' + random.IntN(12))) }
	for range 60 {
		var frames []string
		for range 1 + random.IntN(7) {
			frame := name()
			for random.IntN(3) == 0 {
				frame += "+" + name()
			}
			if random.IntN(12) == 0 {
				frame = "?"
			}
			frames = append(frames, frame)
		}
		value := random.Int64N(1000)
		if random.IntN(5) == 0 {
			value = -value / 3
		}
		stacks[strings.Join(frames, " ")] = value * value * value
	}
	p := profiletest.Handmade("cpu", "nanoseconds", stacks)
	for _, l := range p.Location {
		for i := range l.Line {
			l.Line[i].Line = random.Int64N(4)
		}
	}
	p.DurationNanos = 1 + random.Int64N(1e10)
	for i, f := range p.Function {
		f.Filename = []string{"", "/src/a.go", "/src/../src/b.go"}[i%3]
	}
	return p
}

func TestTablesOfTangledStacksEqualPprof(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 17))
		dir := t.TempDir()
		b, n := tangled(random), tangled(random)
		if seed == 3 {
			n.DropFrames, n.KeepFrames = "[a-e]", "b"
		}
		base, now := profiletest.Write(t, dir, "base.pb.gz", profiletest.Encode(t, b)), profiletest.Write(t, dir,
			"now.pb.gz", profiletest.Encode(t, n))
		for _, cum := range []bool{false, true} {
			opts := view.TopOptions{Lines: 6, Cumulative: cum, ByLine: cum}
			args := []string{"-symbolize=none", "-nodecount=6"}
			if cum {
				args = append(args, "-cum", "-lines")
			}
			require.Equal(t, goToolTop(t, []string{now}, args...), top(t, []string{now}, opts))
			theirs := goTool(t, append(args, "-top", "-diff_base="+base, now)...)
			require.Equal(t, rows(theirs), rows(diff(t, base, now, view.DiffOptions{TopOptions: opts, Raw: true})))
		}
	}
}

// TestDiffNormalizedComparesShares: a has 60 of 100 in base and 100 of 200 in now, a tenth of the
// whole less; b has a tenth more.
func TestDiffNormalizedComparesShares(t *testing.T) {
	dir := t.TempDir()
	b := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"a": 60, "b": 40})
	n := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"a": 100, "b": 100})
	b.DurationNanos, n.DurationNanos = 10e9, 20e9
	b.Comments, n.Comments = []string{"operations=1000", "scenario=s"}, []string{"operations=3000", "scenario=s"}
	base, now := profiletest.Write(t, dir, "base.pb.gz", profiletest.Encode(t, b)), profiletest.Write(t, dir,
		"now.pb.gz", profiletest.Encode(t, n))

	text := diff(t, base, now, view.DiffOptions{Normalize: true})
	require.Equal(t, rows(goTool(t, "-top", "-normalize", "-diff_base="+base, now)), rows(text))
	require.Contains(t, text, "note: now is scaled to the sum of base, 100ns: percentages are differences of shares")
	got, _, err := view.DiffRows(t.Context(), []string{base}, []string{now}, view.DiffOptions{Normalize: true})
	require.NoError(t, err)
	require.Equal(t, []view.Row{
		{Function: "a", Flat: -10, Cum: -10, Unit: "nanoseconds"}, {Function: "b", Flat: 10, Cum: 10, Unit: "nanoseconds"},
	}, got)

	raw := diff(t, base, now, view.DiffOptions{Raw: true, RawAdvice: "as they are"})
	require.True(t, strings.HasPrefix(raw,
		"note: base is of 10s and 1000 operations, now of 20s and 3000 operations: as they are\n"), raw)
	_, below, _ := strings.Cut(raw, "\n") // the text below the note is pprof's
	require.Equal(t, goTool(t, "-top", "-nodecount=20", "-diff_base="+base, now), below)
	var page bytes.Buffer
	notes, err := view.Flame(t.Context(), &page, []string{base}, []string{now},
		view.FlameOptions{DiffOptions: view.DiffOptions{Raw: true}})
	require.NoError(t, err)
	require.Contains(t, strings.Join(notes, "\n"), "base is of 10s and 1000 operations, now of 20s and")
	require.Contains(t, page.String(), "base is of 10s and 1000 operations, now of 20s and")
}

// TestDiffNormalizedAcceptsSnapshots checks that the shares of a snapshot can be compared, though
// it has no cost per operation.
func TestDiffNormalizedAcceptsSnapshots(t *testing.T) {
	dir := t.TempDir()
	base := profiletest.Write(t, dir, "base.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("goroutine", "count", map[string]int64{"a": 3, "b": 1})))
	now := profiletest.Write(t, dir, "now.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("goroutine", "count", map[string]int64{"a": 4, "b": 4})))
	theirs := goTool(t, "-top", "-normalize", "-diff_base="+base, now)
	require.Equal(t, rows(theirs), rows(diff(t, base, now, view.DiffOptions{Normalize: true})))
	err := view.Diff(t.Context(), new(strings.Builder), []string{base}, []string{now}, view.DiffOptions{})
	require.ErrorContains(t, err, "is a snapshot, not a count over operations: subtract it as it is, or compare shares")
}

func TestSumsBeyond64BitsAreSaturatedAndNoted(t *testing.T) {
	const note = "sums beyond 2^63-1 (9223372036854775807) are shown as that"
	dir := t.TempDir()
	large := profiletest.Handmade("cpu", "nanoseconds",
		map[string]int64{"a root": math.MaxInt64, "b root": math.MaxInt64 / 2})
	path := profiletest.Write(t, dir, "cpu.1.pb.gz", profiletest.Encode(t, large))
	got, notes, err := view.TopRows([]string{path}, view.TopOptions{})
	require.NoError(t, err)
	require.Equal(t, []view.Row{
		{Function: "a", Flat: math.MaxInt64, Cum: math.MaxInt64, Unit: "nanoseconds"},
		{Function: "b", Flat: math.MaxInt64 / 2, Cum: math.MaxInt64 / 2, Unit: "nanoseconds"},
		{Function: "root", Flat: 0, Cum: math.MaxInt64, Unit: "nanoseconds"},
	}, got)
	require.Contains(t, strings.Join(notes, "\n"), note)
	text := top(t, []string{path}, view.TopOptions{})
	require.True(t, strings.HasPrefix(text, "note: "+note), text)
	_, below, _ := strings.Cut(text, "\n")
	require.NotContains(t, below, "-")

	// A decrease may be too large too.
	nothing := profiletest.Write(t, dir, "cpu.2.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"a root": 1})))
	opts := view.DiffOptions{Raw: true, TopOptions: view.TopOptions{Cumulative: true, Lines: 1}}
	got, notes, err = view.DiffRows(t.Context(), []string{path}, []string{nothing}, opts)
	require.NoError(t, err)
	require.EqualValues(t, -math.MaxInt64, got[0].Cum)
	require.Contains(t, strings.Join(notes, "\n"), note)

	// The areas of a graph keep their ratios: 3/2 of 2^63 is divided by 4.
	var page bytes.Buffer
	notes, err = view.Flame(t.Context(), &page, nil, []string{path}, view.FlameOptions{})
	require.NoError(t, err)
	require.Contains(t, strings.Join(notes, "\n"), "all are divided by 4")
	require.Contains(t, page.String(), `"Total":3458764513820540928,`)
}

// TestNamesAreQuoted checks that names from a profile that could control the terminal are quoted
// wherever they are shown.
func TestNamesAreQuoted(t *testing.T) {
	const clear, turn = "evil\x1b[2J", "turned\u202egnp"
	p := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{clear: 5, turn: 3, "plain": 1})
	p.Comments = []string{"comment\x1b]0;title\a"}
	p.Mapping[0].File = "/bin/pro\rgram"
	p.Function[0].Filename = "file\x1b.go"
	path := profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz", profiletest.Encode(t, p))
	shown := map[string]string{
		"top":  top(t, []string{path}, view.TopOptions{}),
		"diff": diff(t, path, path, view.DiffOptions{Raw: true}),
	}
	require.Contains(t, shown["top"], `"evil\x1b[2J"`)
	require.Contains(t, shown["top"], `"turned\u202egnp"`)
	require.Contains(t, shown["top"], " plain\n")
	var page bytes.Buffer
	_, err := view.Flame(t.Context(), &page, nil, []string{path}, view.FlameOptions{Title: "of \x1b this"})
	require.NoError(t, err)
	require.Contains(t, page.String(), `\"evil\\x1b[2J\"`) // quoted, in a string of the page's script
	shown["flame"] = page.String()
	other := profiletest.Write(t, t.TempDir(), "x.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cp\x1bu", "count", nil)))
	_, _, err = view.TopRows([]string{path, other}, view.TopOptions{})
	require.Error(t, err)
	shown["error"] = err.Error()
	for where, text := range shown {
		at := strings.IndexFunc(text, func(r rune) bool {
			return !strings.ContainsRune("\n\t \u00a0", r) &&
				!unicode.IsPrint(r)
		})
		require.Negative(t, at, "%s: %q", where, text[max(0, at-20):max(0, at)+min(20, len(text)-max(0, at))])
	}
}

func TestOtherKindIsRefused(t *testing.T) {
	dir := t.TempDir()
	cpu := profiletest.Write(t, dir, "cpu.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"a": 1})))
	four := &profile.Profile{ // as net/http/pprof serves a heap
		SampleType: []*profile.ValueType{
			{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"},
			{Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"},
		},
		Function: []*profile.Function{{ID: 1, Name: "f", SystemName: "f"}},
	}
	four.Location = []*profile.Location{{ID: 1, Line: []profile.Line{{Function: four.Function[0]}}}}
	four.Sample = []*profile.Sample{{Location: four.Location, Value: []int64{1, 20, 3, 40}}}
	heap := profiletest.Write(t, dir, "heap.pb.gz", profiletest.Encode(t, four))

	err := view.Top(t.Context(), new(strings.Builder), []string{cpu},
		view.TopOptions{Selection: profiles.Selection{Kind: profiles.Heap}})
	profiletest.RequireProblem(t, err, cpu, profiles.NotOfKind)
	require.ErrorContains(t, err, "(heap was asked for; it is of cpu): name one of that kind")
	_, err = view.Flame(t.Context(), new(bytes.Buffer), nil, []string{heap},
		view.FlameOptions{DiffOptions: view.DiffOptions{TopOptions: view.TopOptions{Selection: profiles.Selection{Kind: profiles.CPU}}}})
	profiletest.RequireProblem(t, err, heap, profiles.NotOfKind)

	for kind, want := range map[profiles.Kind]int64{profiles.Heap: 40, profiles.Allocs: 20, "": 40} {
		got, _, err := view.TopRows([]string{heap}, view.TopOptions{Selection: profiles.Selection{Kind: kind}})
		require.NoError(t, err)
		require.Equal(t, []view.Row{{Function: "f", Flat: want, Cum: want, Unit: "bytes"}}, got)
	}
}

func TestNoRowsEncodeAsEmptyList(t *testing.T) {
	path := profiletest.Write(t, t.TempDir(), "mutex.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("delay", "nanoseconds", nil)))
	same := profiletest.Write(t, t.TempDir(), "cpu.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"a": 1})))
	top, _, err := view.TopRows([]string{path}, view.TopOptions{})
	require.NoError(t, err)
	diff, _, err := view.DiffRows(t.Context(), []string{same}, []string{same}, view.DiffOptions{Raw: true})
	require.NoError(t, err)
	for _, list := range [][]view.Row{top, diff} {
		text, err := json.Marshal(list)
		require.NoError(t, err)
		require.Equal(t, "[]", string(text))
	}
}
