package explain

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A synthetic is a stack of an operation, innermost function first, with the nanoseconds that the
// operation spends in it.
type synthetic struct {
	ns    float64
	stack []string
}

// push returns the stacks of an operation like a push, most of which is spent in the kernel.
func push() []synthetic {
	return []synthetic{
		{6000, []string{"syscall.write", "own.(*conn).send", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{3000, []string{"syscall.read", "own.(*conn).receive", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{1500, []string{"codec.parse", "own.(*conn).receive", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{700, []string{"own.(*pool).get", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{500, []string{"own.(*pool).put", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{900, []string{"own.appendHead", "own.(*Client).roundTrip", "own.(*Client).Push", "main.work"}},
		{400, []string{"hash.sum", "own.digest", "own.(*Client).Push", "main.work"}},
		{2500, []string{"runtime.findRunnable", "runtime.schedule", "runtime.mcall"}},
		{300, []string{"runtime.scanobject", "runtime.gcBgMarkWorker"}},
		{600, []string{"main.record", "main.work"}},
	}
}

// repetitions writes n CPU profiles of an operation. Its samples have the noise of counting at 100
// Hz, and machine holds the speed of the machine in each repetition.
func repetitions(t testing.TB, dir string, random *rand.Rand, n int, operations int64, machine []float64,
	op []synthetic) (files []string) {
	t.Helper()
	for i := range n {
		files = append(files, oneRepetition(t, dir, random, i+1, operations, machine[i], op))
	}
	return files
}

// oneRepetition writes the n-th of the profiles that repetitions writes.
func oneRepetition(t testing.TB, dir string, random *rand.Rand, n int, operations int64, machine float64,
	op []synthetic) string {
	t.Helper()
	const period = 10_000_000
	whole := 0.0
	for _, s := range op {
		whole += s.ns
	}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: period,
		Comments: []string{fmt.Sprintf("%s=%d", profiles.OperationsLabel, operations),
			fmt.Sprintf("%s=%.0f", profiles.ProcessorLabel, machine*whole*float64(operations))},
	}
	functions := map[string]*profile.Location{}
	for _, s := range op {
		count := int64(distuv.Poisson{Lambda: machine * s.ns * float64(operations) / period, Src: random}.Rand())
		if count == 0 {
			continue
		}
		sample := &profile.Sample{Value: []int64{count, count * period}}
		for _, name := range s.stack {
			if functions[name] == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, Filename: "/src/" + name + ".go"}
				p.Function = append(p.Function, f)
				l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f, Line: 7}}}
				p.Location = append(p.Location, l)
				functions[name] = l
			}
			sample.Location = append(sample.Location, functions[name])
		}
		p.Sample = append(p.Sample, sample)
	}
	return written(t, dir, n, p)
}

// written writes a CPU profile as a repetition, and returns its file.
func written(t testing.TB, dir string, repetition int, p *profile.Profile) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	file, err := profiles.Write(dir, profiles.CPU, repetition, p)
	require.NoError(t, err)
	return file.Path
}

// speeds returns the speeds of a machine in n repetitions of each side. Those of a pair are
// similar.
func speeds(random *rand.Rand, n int) (base, now []float64) {
	for range n {
		together := math.Exp(0.05 * random.NormFloat64())
		base = append(base, together*math.Exp(0.02*random.NormFloat64()))
		now = append(now, together*math.Exp(0.02*random.NormFloat64()))
	}
	return base, now
}

// explainChange explains pairs of profiles in which the stack at of the operation costs more by the
// given share of the operation. If at is negative, nothing differs.
func explainChange(t *testing.T, random *rand.Rand, pairs int, at int, share float64) *Explanation {
	t.Helper()
	dir := t.TempDir()
	base, now := speeds(random, pairs)
	changed, whole := push(), 0.0
	for _, s := range changed {
		whole += s.ns
	}
	if at >= 0 {
		changed[at].ns += share * whole
	}
	const operations = 25_000 // half a second of processor time
	e, err := Explain(t.Context(),
		repetitions(t, filepath.Join(dir, "base"), random, pairs, operations, base, push()),
		repetitions(t, filepath.Join(dir, "now"), random, pairs, operations, now, changed),
		Options{Own: []string{"own.", "main."}, Paired: true})
	require.NoError(t, err)
	return e
}

// TestExplainFindsInjectedRegressions makes one function after the other more expensive, by 5 to
// 15% of the operation, and checks that it is named. Its share of the whole difference is 1, as
// nothing else changed, and must be in the interval.
func TestExplainFindsInjectedRegressions(t *testing.T) {
	testenv.Slow(t)
	random := rand.New(rand.NewPCG(1, 2))
	found, held, widths, all := 0, 0, 0.0, 0
	rounds := 8
	if testing.Short() || testenv.Raced {
		rounds = 2
	}
	for round := range rounds {
		for at, s := range push() {
			cause := ""
			for _, name := range s.stack {
				if stack.IsOwn(name, []string{"own.", "main."}) {
					cause = name
					break
				}
			}
			if cause == "" {
				continue
			}
			all++
			e := explainChange(t, random, 50, at, 0.05+0.10*float64(round)/float64(rounds-1))
			for i, c := range e.Causes {
				if i >= 3 || c.Function != cause {
					continue
				}
				found++
				require.Positive(t, c.Delta)
				if c.ShareLow != nil && *c.ShareLow <= 1 && 1 <= *c.ShareHigh {
					held++
					widths += *c.ShareHigh - *c.ShareLow
				}
			}
		}
	}
	t.Logf("%d injected, %d among the first three causes, %d within the interval, which is %.2f wide on average", all,
		found,
		held, widths/float64(held))
	if rounds == 8 {
		require.GreaterOrEqual(t, float64(found), 0.95*float64(all))
		require.GreaterOrEqual(t, float64(held), 0.85*float64(all))
		return
	}
	// With so few tries one more miss may be chance, so the test fails only if the rates are
	// refuted at the 99.9% level.
	require.GreaterOrEqual(t, found, leastOf(all, 0.95))
	require.GreaterOrEqual(t, held, leastOf(all, 0.85))
}

// leastOf returns the smallest number of successes that isn't too few at the 99.9% level, if each
// of the tries succeeds with the given chance.
func leastOf(tries int, chance float64) int {
	least := 0
	for (distuv.Binomial{N: float64(tries), P: chance}).CDF(float64(least)) < 0.001 {
		least++
	}
	return least
}

// TestExplainWithin checks that stacks outside Within count neither for the whole nor as causes.
func TestExplainWithin(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(9, 10))
	ones := slices.Repeat([]float64{1}, 12)
	changed := push()
	changed[1].ns += 1500 // a read
	changed[7].ns += 3000 // the scheduler
	base := repetitions(t, filepath.Join(dir, "base"), random, 12, 100_000, ones, push())
	now := repetitions(t, filepath.Join(dir, "now"), random, 12, 100_000, ones, changed)
	own := []string{"own."}
	all, err := Explain(t.Context(), base, now, Options{Own: own})
	require.NoError(t, err)
	require.Len(t, all.Causes, 2)
	e, err := Explain(t.Context(), base, now, Options{Own: own, Within: []string{"own.(*conn)."}})
	require.NoError(t, err)
	require.Len(t, e.Causes, 1)
	require.Equal(t, "own.(*conn).receive", e.Causes[0].Function)
	require.InEpsilon(t, 6000+3000+1500, e.Total.Base, 0.05)
	require.InEpsilon(t, 1, e.Causes[0].Share, 0.35)
	_, err = Explain(t.Context(), base, now, Options{Own: own, Within: []string{"nobody."}})
	require.ErrorContains(t, err, "no stack holds a function that begins with nobody.")
}

// TestExplainNotesMachines checks that an explanation notes if the sides come from different
// machines, or were captured differently, but only if that affects what is explained.
func TestExplainNotesMachines(t *testing.T) {
	random, dir := rand.New(rand.NewPCG(7, 8)), t.TempDir()
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	on := func(name string, machines ...string) []string {
		files := repetitions(t, filepath.Join(dir, name), random, 8, 25_000, ones, push())
		for i, path := range files {
			p, err := profiles.Load(path)
			require.NoError(t, err)
			if m := machines[i%len(machines)]; m != "" {
				p.Comments = append(p.Comments, profiles.MachineLabel+"="+m)
			}
			written(t, filepath.Dir(path), i+1, p)
		}
		return files
	}
	two := func(sample string, machines, with, sampled []string) []string {
		return (&costTable{sample: sample, machines: machines, with: with, sampled: sampled}).notes(1)
	}
	same, others := []string{"x", "x"}, []string{"a1", "b2"}
	require.Empty(t, two("alloc_space", others, others, same), "allocations don't depend on the machine")
	require.Len(t, two("alloc_space", same, same, others), 1)
	require.Len(t, two("cpu", same, others, others), 1)
	require.Len(t, two("cpu", others, others, others), 2)
	require.Empty(t, two("cpu", same, same, others))
	one, again, other, both, unknown := on("one", "a1"), on("again", "a1"), on("other", "b2"), on("both", "a1",
		"b2"), on("unknown", "")
	for name, row := range map[string]struct {
		base, now []string
		says      string
		sample    string
	}{
		"the same machine":         {one, again, "", ""},
		"two machines":             {one, other, "profiled on different machines (a1, and now b2)", ""},
		"two machines on one side": {one, both, "profiled on different machines (a1, and now a1; b2)", ""},
		"an unknown machine":       {unknown, other, "", ""},
		"counts of samples":        {one, other, "profiled on different machines", "samples"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Explain(t.Context(), row.base, row.now,
				Options{Own: []string{"own."}, Selection: profiles.Selection{SampleIndex: row.sample}})
			require.NoError(t, err)
			var text strings.Builder
			require.NoError(t, e.WriteText(&text))
			if row.says == "" {
				require.Empty(t, e.Notes)
				require.NotContains(t, text.String(), "note:")
				return
			}
			require.Len(t, e.Notes, 1)
			require.Contains(t, text.String(), "note: "+row.says)
		})
	}
}

// TestExplainNamesNothing checks that if nothing changed, a function is named with the stated
// chance at most.
func TestExplainNamesNothing(t *testing.T) {
	testenv.Slow(t)
	random := rand.New(rand.NewPCG(3, 4))
	named, all := 0, 300
	if testing.Short() || testenv.Raced {
		all = 60
	}
	for range all {
		if e := explainChange(t, random, 12, -1, 0); len(e.Causes)+len(e.Functions) > 0 {
			named++
		}
	}
	t.Logf("%d of %d explanations name a function", named, all)
	// A larger number would refute the stated 1% at the 99.9% level.
	most := distuv.Binomial{N: float64(all), P: defaultAlpha}
	limit := 0
	for most.CDF(float64(limit)) < 0.999 {
		limit++
	}
	require.LessOrEqual(t, named, limit)
}

// TestPermutationIsExact compares p-values with ones that were counted by hand.
func TestPermutationIsExact(t *testing.T) {
	one := []float64{1}
	// There are 6 ways to divide 4 values into two pairs. The measured one and its mirror image have
	// the largest difference.
	p, err := permutationTest(t.Context(), [][]float64{{1, 2, 11, 12}}, 2, false, one)
	require.NoError(t, err)
	require.InDelta(t, 2.0/6, p[0], 1e-12)
	// 1, 11 against 5, 12: the means differ by 2.5, which 4 of the 6 ways reach.
	p, err = permutationTest(t.Context(), [][]float64{{1, 11, 5, 12}}, 2, false, one)
	require.NoError(t, err)
	require.InDelta(t, 4.0/6, p[0], 1e-12) // 1,5|11,12: 8.5; 1,11|5,12: 2.5; 1,12|5,11: 1.5
	// Three pairs: of 8 ways to choose signs only the two with equal signs reach the measured
	// difference.
	p, err = permutationTest(t.Context(), [][]float64{{0, 0, 0, 1, 2, 3}}, 3, true, one)
	require.NoError(t, err)
	require.InDelta(t, 2.0/8, p[0], 1e-12)
	// A row's p-value is at least that of a row with a larger difference.
	p, err = permutationTest(t.Context(), [][]float64{{0, 0, 0, 1, 2, 3}, {0, 0, 0, 6, -6, 0}}, 3, true, []float64{1, 1})
	require.NoError(t, err)
	require.InDelta(t, 6.0/8, p[0], 1e-12) // the second row reaches 4 in 4 of 8
}

// TestFieller checks that a part that is half of the whole in each pair has a share of exactly a half.
func TestFieller(t *testing.T) {
	whole, part := []float64{0, 0, 0, 0, 10, 12, 9, 11}, []float64{0, 0, 0, 0, 5, 6, 4.5, 5.5}
	share, low, high := fieller(part, whole, 4, true)
	require.InDelta(t, 0.5, share, 1e-12)
	require.InDelta(t, 0.5, *low, 1e-6)
	require.InDelta(t, 0.5, *high, 1e-6)
	// If the whole difference may be zero, a share has no interval.
	_, low, high = fieller([]float64{0, 0, 0, 0, 1, -1, 1, -1}, []float64{0, 0, 0, 0, 5, -5, 5, -4}, 4, true)
	require.Nil(t, low)
	require.Nil(t, high)
}

func TestExplainRefuses(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(5, 6))
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	good := repetitions(t, filepath.Join(dir, "good"), random, 8, 100_000, ones, push())
	own := []string{"own."}
	unlabeled := make([]string, 0, 8)
	nameless := make([]string, 0, 8)
	for i, path := range good {
		p, err := profiles.Load(path)
		require.NoError(t, err)
		p.Comments = nil
		unlabeled = append(unlabeled, written(t, filepath.Join(dir, "unlabeled"), i+1, p))
		p.Comments = []string{profiles.OperationsLabel + "=5"}
		for _, l := range p.Location {
			l.Line = nil
			l.Address = l.ID
		}
		nameless = append(nameless, written(t, filepath.Join(dir, "nameless"), i+1, p))
	}
	for name, row := range map[string]struct {
		base, now []string
		opts      Options
		says      string
	}{
		"no own functions":  {good, good, Options{}, "no own functions: name the beginning"},
		"too few":           {good[:3], good, Options{Own: own}, "the first has 3 profiles: want 5 to 400"},
		"too few for alpha": {good[:4], good[:4], Options{Own: own}, "either side has 4 profiles: want 5 to 400"},
		// 2 of the 2^7 exchanges have the largest difference: 1.6%.
		"too few pairs": {good[:7], good[:7], Options{Own: own, Paired: true},
			"either side has 7 profiles: want 8 to 400"},
		"alpha too small":    {good, good, Options{Own: own, Alpha: 1e-9}, "alpha 1e-09: want at least 0.0004"},
		"odd pairs":          {good[:7], good, Options{Own: own, Paired: true}, "7 and 8 repetitions"},
		"missing":            {good, append([]string{"nowhere.pb.gz"}, good[1:]...), Options{Own: own}, "missing"},
		"without operations": {good, unlabeled, Options{Own: own}, "doesn't say how many operations it covers"},
		"not symbolized":     {nameless, good, Options{Own: own}, "not symbolized"},
		"no such sample index": {good, good, Options{Own: own, Selection: profiles.Selection{SampleIndex: "inuse_space"}},
			"inuse_space"},
		"alpha": {good, good, Options{Own: own, Alpha: 1}, "alpha 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Explain(t.Context(), row.base, row.now, row.opts)
			require.ErrorContains(t, err, row.says)
		})
	}
	_, err := Explain(t.Context(), good[:5], good[:5], Options{Own: own}) // 2 of 252 arrangements: 0.8%
	require.NoError(t, err)
	_, err = Explain(t.Context(), good[:4], good[:4], Options{Own: own, Alpha: 0.05}) // 2 of 70 arrangements: 2.9%
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Explain(ctx, good, good, Options{Own: own})
	require.ErrorIs(t, err, context.Canceled)
}

// TestExplainNamesTheBadFile checks that the error names the one bad file among good ones.
func TestExplainNamesTheBadFile(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(11, 12))
	good := repetitions(t, filepath.Join(dir, "good"), random, 8, 100_000, []float64{1, 1, 1, 1, 1, 1, 1, 1}, push())
	data, err := os.ReadFile(good[0])
	require.NoError(t, err)
	raw := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	changed := func(name string, change func(*profile.Profile)) string {
		p, err := profiles.Load(good[0])
		require.NoError(t, err)
		change(p)
		return written(t, filepath.Join(dir, name), 1, p)
	}
	for says, path := range map[string]string{
		"empty":            raw("empty.pb.gz", nil),
		"cut short":        raw("cut.pb.gz", data[:len(data)/2]),
		"not a pprof":      raw("text.pb.gz", []byte("no profile")),
		"holds no samples": changed("none", func(p *profile.Profile) { p.Sample = nil }),
		"not symbolized": changed("nameless", func(p *profile.Profile) {
			for i, l := range p.Location {
				l.Line, l.Address = nil, uint64(i+1)
			}
		}),
	} {
		_, err := Explain(t.Context(), good, append(slices.Clone(good[:7]), path), Options{Own: []string{"own."}})
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, path)
	}
}

// TestExplainRefusesOtherKinds explains a profile of another kind than requested, and a snapshot.
func TestExplainRefusesOtherKinds(t *testing.T) {
	dir := t.TempDir()
	cpu := repetitions(t, filepath.Join(dir, "cpu"), rand.New(rand.NewPCG(13, 14)), 8, 100_000,
		[]float64{1, 1, 1, 1, 1, 1, 1, 1}, push())
	_, err := Explain(t.Context(), cpu, cpu,
		Options{Selection: profiles.Selection{Kind: profiles.Allocs}, Own: []string{"a"}})
	var file *profiles.FileError
	require.ErrorAs(t, err, &file)
	require.Equal(t, profiles.NotOfKind, file.Problem)
	require.Equal(t, cpu[0], file.Path)

	p, err := profiles.Load(cpu[0])
	require.NoError(t, err)
	p.SampleType = []*profile.ValueType{{Type: "goroutine", Unit: "count"}}
	for _, s := range p.Sample {
		s.Value = s.Value[:1]
	}
	snapshot, err := profiles.Write(dir, profiles.Goroutine, 1, p)
	require.NoError(t, err)
	files := slices.Repeat([]string{snapshot.Path}, 8)
	_, err = Explain(t.Context(), files, files, Options{Own: []string{"x"}})
	require.ErrorContains(t, err, "is a snapshot, not a count over operations")
}

// TestWriteTextQuotesNames checks that names from a profile can't control the terminal.
func TestWriteTextQuotesNames(t *testing.T) {
	const clear, turn = "evil\x1b[2J", "turned\u202egnp"
	var text strings.Builder
	e := Explanation{
		Sample: "cpu\a", Unit: "count", Notes: []string{"on \x1bc"}, Functions: []Function{{Name: turn}},
		Causes: []Cause{{
			Function: clear, Lines: []Contribution{{Name: turn}}, Callers: []Contribution{{Name: clear}},
		}},
	}
	require.NoError(t, e.WriteText(&text))
	require.Contains(t, text.String(), `1. "evil\x1b[2J": `)
	at := strings.IndexFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
	require.Negative(t, at, "%q", text.String())
}
