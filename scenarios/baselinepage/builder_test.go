package baselinepage

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// ourProject returns this repository with its fleetmark.yaml.
func ourProject(t *testing.T) project.Project {
	t.Helper()
	p, err := project.Find(".")
	require.NoError(t, err)
	require.Equal(t, "github.com/fleetmark/fleetmark", p.Module)
	return p
}

// TestTargets_ofThisRepository checks that each target is about a figure that the page has, or
// about a section that wasn't measured. The name of any other figure is misspelled, and no
// measurement would ever meet its target.
func TestTargets_ofThisRepository(t *testing.T) {
	page, err := baseline.Read("../../" + baseline.FileName)
	require.NoError(t, err)
	for _, target := range (content{page: page, project: ourProject(t)}).evaluate() {
		if target.state != targetUnmeasured {
			continue
		}
		name, _, _ := strings.Cut(target.Figure, "/")
		section, ok := page.Section(name)
		require.True(t, ok, "target %q: the page has no section or scenario with a figure %q", target.Name, target.Figure)
		require.Empty(t, section.Figures, "target %q: section %s has no figure %q", target.Name, name, target.Figure)
	}
}

func TestParseSections(t *testing.T) {
	for list, want := range map[string][]string{
		"all": Sections(), "none": nil, "time": {"time"}, "code, time": {"code", "time"},
	} {
		got, err := ParseSections(list)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, list := range []string{"", "time,", "targets", "everything"} {
		_, err := ParseSections(list)
		require.ErrorContains(t, err, "want all, none, or some of benchmarks, operations, time")
	}
}

// TestSections checks that every section is either measured, in measuringOrder, or derived.
func TestSections(t *testing.T) {
	empty := content{page: &baseline.Page{}}
	for _, s := range newSections() {
		require.Equal(t, !s.derived(empty), slices.Contains(measuringOrder(), s.name), s.name)
	}
	require.Len(t, Sections(), len(measuringOrder()))
}

// pageOf returns a page with one scenario that has these values, and no measured sections.
func pageOf(values ...results.Value) *baseline.Page {
	return &baseline.Page{Scenarios: []baseline.Scenario{{
		Name: "rollout", Repetitions: 1, Records: []results.Record{{Scenario: "rollout", Op: "deliver", Repetition: 1,
			Ops: 1, Values: values}},
	}}}
}

// withTargets returns the builder of a page whose project has these targets.
func withTargets(page *baseline.Page, targets ...project.Target) *Builder {
	return builderOf(page, project.Project{Root: "/", File: project.ConfigFile, Config: project.Config{Targets: targets}})
}

// builderOf returns the builder of a page that measures the given sections.
func builderOf(page *baseline.Page, p project.Project, selected ...string) *Builder {
	return &Builder{content: content{page: page, project: p}, sections: newSections(), selected: selected, skipped: map[string]string{}}
}

func atMost(v float64, form project.Form) project.Limit {
	return project.Limit{Low: math.Inf(-1), High: v, Form: form}
}

func TestTargets(t *testing.T) {
	page := pageOf(results.Value{Unit: "requests/device", Value: 2}, results.Value{Unit: "retries/device", Value: 1},
		results.Value{Unit: "ns/op", Value: 45000})
	page.Machine.CPU = "AMD EPYC"
	f := withTargets(page,
		project.Target{Name: "requests", Figure: "rollout deliver requests/device", Limit: project.Limit{Low: 2, High: 2},
			EnforcedBy: "scenarios.TestRun"},
		project.Target{Name: "retries", Figure: "rollout deliver retries/device", Limit: project.Limit{Low: 0, High: 0}},
		project.Target{Name: "failed tests", Figure: "tests/failed", Limit: project.Limit{Low: 0, High: 0}},
		project.Target{Name: "time elsewhere", Figure: "rollout deliver ns/op",
			Limit: project.Limit{Low: 35e3, High: 40e3, Form: project.FormDuration}, Machine: "i7-10700F"},
		project.Target{Name: "time here", Figure: "rollout deliver ns/op", Limit: atMost(50e3, project.FormDuration),
			Machine: "EPYC"},
	)
	require.NoError(t, f.write(nil))
	section, ok := f.content.page.Section(targetsName)
	require.True(t, ok)
	row := func(what string) string {
		for line := range strings.SplitSeq(section.Body, "\n") {
			if strings.HasPrefix(line, "| "+what+" ") {
				return strings.Join(strings.Fields(line), " ")
			}
		}
		t.Fatalf("no row %q in\n%s", what, section.Body)
		return ""
	}
	require.Equal(t, "| requests | 2 | 2 | yes | `scenarios.TestRun` |", row("requests"))
	require.Equal(t, "| retries | 0 | 1 | no | |", row("retries"))
	require.Equal(t, "| failed tests | 0 | not measured | – | |", row("failed tests"))
	require.Equal(t, "| time elsewhere | 35.0µs to 40.0µs | 45.0µs | set for i7-10700F | |", row("time elsewhere"))
	require.Equal(t, "| time here | ≤ 50.0µs | 45.0µs | yes | |", row("time here"))
	require.Contains(t, section.Body, "2 of 4 targets met, 1 not met, 1 not measured, 1 set for another machine.")

	summary, ok := f.content.page.Section(summaryName)
	require.True(t, ok)
	require.Contains(t, strings.Join(strings.Fields(summary.Body), " "),
		"1 set for another machine: retries is 1, wanted 0.")
}

func TestFormatFigure(t *testing.T) {
	for _, c := range []struct {
		v    float64
		form project.Form
		want string
	}{
		{5500, project.FormBytes, "5.37KiB"}, {5500, project.FormDecimalBytes, "5.5kB"},
		{37867520, project.FormDecimalBytes, "37.9MB"},
		{200e6, project.FormDecimalBytes, "200MB"}, {24.5, project.FormDecimalBytes, "24B"},
		{2e12, project.FormDecimalBytes, "2000GB"},
		{35000, project.FormDuration, "35.0µs"}, {1.2498, project.FormPercent, "1.25%"},
		{1.146, project.FormFactor, "1.15x"}, {41.1596, project.FormNumber, "41.16"},
		{0.0004, project.FormNumber, "0.0004"}, {2, project.FormNumber, "2"},
	} {
		require.Equal(t, c.want, formatFigure(c.v, c.form))
	}
}

// TestBuilder_withoutConfiguration checks that a project without a fleetmark.yaml has no targets,
// no anti-patterns and no benchmarks, and that its page says so.
func TestBuilder_withoutConfiguration(t *testing.T) {
	for want, p := range map[string]project.Project{
		"this isn't a module or a repository":    {},
		"there is no fleetmark.yaml at the root": {Root: "/somewhere"},
		"fleetmark.yaml has no ":                 {Root: "/somewhere", File: project.ConfigFile},
	} {
		f := builderOf(pageOf(results.Value{Unit: "ns/op", Value: 2}), p, benchmarksName)
		require.NoError(t, f.Try(t.Context()))
		require.NoError(t, f.write(nil))
		for _, name := range []string{targetsName, benchmarksName, "anti-patterns"} {
			section, ok := f.content.page.Section(name)
			require.True(t, ok)
			require.Contains(t, strings.Join(strings.Fields(section.Body), " "), want, name)
		}
	}
}

// measuredBenchmarks returns samples of two packages: Push with its reference, and a benchmark that
// reports a metric of its own.
func measuredBenchmarks(t *testing.T) []results.GoBenchmarks {
	t.Helper()
	lines := []string{"goos: linux", "goarch: amd64", "pkg: example.com/m/delivery", "cpu: Example"}
	for _, ns := range []string{"1500", "1510", "1520"} {
		lines = append(lines, "BenchmarkPush-2 100 "+ns+" ns/op 8 B/op 1 allocs/op")
	}
	for _, ns := range []string{"1000", "1020", "1010"} {
		lines = append(lines, "BenchmarkReferenceBareSockets-2 100 "+ns+" ns/op 0 B/op 0 allocs/op")
	}
	lines = append(lines, "BenchmarkPush10MiB-2 100 5000000 ns/op 2097.15 MB/s 8 B/op 1 allocs/op",
		"pkg: example.com/m/parse", "BenchmarkTokens-2 100 7 tokens/op")
	samples, err := results.ParseGoBenchmarks(lines)
	require.NoError(t, err)
	return []results.GoBenchmarks{{Command: "go test -run '^$' -bench . -benchmem ./delivery ./parse", Lines: lines,
		Samples: samples}}
}

func TestBenchmarks(t *testing.T) {
	f := withTargets(pageOf(results.Value{Unit: "ops/s", Value: 7610}, results.Value{Unit: "p99-ns/op", Value: 9.73e6}),
		project.Target{Name: "ratio", Figure: "benchmarks/delivery.Push ratio", Limit: atMost(1.15, project.FormFactor)},
		project.Target{Name: "allocations", Figure: "benchmarks/delivery.Push allocs/op",
			Limit: atMost(60, project.FormNumber)},
		project.Target{Name: "time", Figure: "benchmarks/delivery.Push ns/op",
			Limit: project.Limit{Low: 3.5e4, High: 4e4, Form: project.FormDuration}, Machine: "i7"})
	f.content.project.Module = "example.com/m"
	f.content.project.Config.Benchmarks = []project.Benchmarks{{References: map[string]string{"Push": "ReferenceBareSockets", "Push10MiB": "Missing"}}}
	f.content.project.Config.Units = map[string]project.Unit{"tokens/op": {HigherIsBetter: true}}
	f.content.page.Benchmarks = measuredBenchmarks(t)
	require.NoError(t, f.write(nil))

	s, ok := f.content.page.Section(benchmarksName)
	require.True(t, ok)
	// Worked out by hand: medians 1510 and 1010 ns, 1510/1010 = 1.495; 1e9/1510 = 662k a second.
	require.Equal(t, [][]string{{"delivery.Push", "1.51µs ± ∞", "662k/s", "8.00B", "1", "", "3",
		"1.50x ReferenceBareSockets"}}, rowsOf(*s, "delivery.Push"))
	require.Equal(t, [][]string{{"delivery.Push10MiB", "5.00ms ± ∞", "200/s", "8.00B", "1", "2097MB/s", "1"}},
		rowsOf(*s, "delivery.Push10MiB"))
	require.Equal(t, [][]string{{"parse.Tokens", "", "", "", "", "", "1", "", "7.00"}}, rowsOf(*s, "parse.Tokens"))
	require.Contains(t, s.Body, "```sh\n  go test -run '^$' -bench . -benchmem ./delivery ./parse\n```")
	require.Contains(t, s.Body, "of tokens/op, higher is better")
	require.InDelta(t, 1.495, s.Figures["delivery.Push ratio"], 0.001)
	require.Equal(t, 1., s.Figures["delivery.Push allocs/op"])
	require.Equal(t, 7., s.Figures["parse.Tokens tokens/op"])

	summary, ok := f.content.page.Section(summaryName)
	require.True(t, ok)
	require.Equal(t, [][]string{{"Push", "1.51µs (35.0µs to 40.0µs on i7)", "1.50x (≤ 1.15x)", "1 (≤ 60)", "8.00B"}},
		rowsOf(*summary, "Push"))
	require.Empty(t, rowsOf(*summary, "ReferenceBareSockets"), "a reference is no operation of ours")
	text := strings.Join(strings.Fields(summary.Body), " ")
	require.Contains(t, text, "1 of 2 targets met, 1 not met, 1 set for another machine: ratio is 1.50x, wanted ≤ 1.15x.")
	require.Contains(t, text, "Under load, scenario rollout: deliver 7.61k/s, p99 9.73ms.")

	// Sections that are written again from the page are the same, which --check relies on.
	stale, err := staleSections(f.content)
	require.NoError(t, err)
	require.Empty(t, stale)
	f.content.project.Config.Benchmarks[0].References = nil
	stale, err = staleSections(f.content)
	require.NoError(t, err)
	require.Equal(t, []Stale{
		{`says under "Summary" what the code and fleetmark.yaml no longer say`, true},
		{`says under "Go benchmarks" what the code and fleetmark.yaml no longer say`, true},
	}, stale[:2])
}

func TestBenchmarkOptions_command(t *testing.T) {
	entry := project.Benchmarks{Packages: []string{"./a"}, Run: "X", Skip: "Y", Count: 6}
	require.Equal(t, "go test -run '^$' -bench X -skip Y -benchmem -count 6 ./a",
		BenchmarkOptions{}.command(project.Project{}, entry).String())
	require.Equal(t, "go test -run '^$' -bench X -skip Y -benchmem -count 2 -benchtime 10x ./a",
		BenchmarkOptions{Count: 2, Time: "10x"}.command(project.Project{}, entry).String())
}

// TestStaleSections checks that a page is stale if the code would write it differently now, and not
// because time has passed.
func TestStaleSections(t *testing.T) {
	f := builderOf(pageOf(results.Value{Unit: "ns/op", Value: 2}), project.Project{})
	require.NoError(t, f.write(nil))
	check := func(change func(*baseline.Page)) []Stale {
		page := *f.content.page
		page.Sections = slices.Clone(page.Sections)
		change(&page)
		stale, err := staleSections(content{page: &page})
		require.NoError(t, err)
		return stale
	}
	require.Empty(t, check(func(*baseline.Page) {}))
	require.Equal(t, []Stale{{`says under "Targets" what the code and fleetmark.yaml no longer say`, true}},
		check(func(b *baseline.Page) { b.Sections[1].Body += "x" }))
	require.Empty(t, check(func(b *baseline.Page) { b.Sections[3].Body += "x" }),
		"a measured section isn't compared with the code")
	stale := check(func(b *baseline.Page) { b.Sections = nil })
	require.Len(t, stale, 1)
	require.False(t, stale[0].Derived)
	require.Contains(t, stale[0].Problem, "has the sections none, and they are summary, targets, benchmarks")
	_, _, unknown := unknownUnit(f.content.page)
	require.False(t, unknown)
	scenario, unit, unknown := unknownUnit(pageOf(results.Value{Unit: "unheard-of", Value: 1}))
	require.True(t, unknown)
	require.Equal(t, "unheard-of rollout", unit+" "+scenario)

	// Rewriting the page fixes it, and keeps what was measured.
	f.content.page.Sections[1].Body, f.content.page.Sections[3].Body = "Edited.", "Measured."
	require.NoError(t, Rewrite(f.content.page, project.Project{}, Subject{}))
	require.Equal(t, "Measured.", f.content.page.Sections[3].Body)
	require.Empty(t, check(func(*baseline.Page) {}))
}

// TestExtraRuns checks that the commands on the page run the operations that the table shows.
func TestExtraRuns(t *testing.T) {
	for _, s := range []Subject{{}, {Program: "acme-bench", Client: "acme"}} {
		for _, e := range s.extraRuns() {
			require.Contains(t, []string{"push", "verify", "deliver"}, e.operation)
			require.Contains(t, e.command, "load.operation="+e.operation)
			require.Contains(t, e.command, cmp.Or(s.Program, "fleetmark")+" run ")
		}
	}
}

func TestSubject_scenarios(t *testing.T) {
	named := project.Project{Root: t.TempDir(), File: "../../fleetmark.yaml"}
	require.NoError(t, os.WriteFile(filepath.Join(named.Root, "push.yaml"), nil, 0o600))
	named.Config.Baseline.Scenarios = []string{"chaos", "push.yaml"}
	want := []string{"chaos", "../../push.yaml"}
	require.Equal(t, want, Subject{}.Scenarios(named))
	require.Equal(t, want, Subject{Client: "acme"}.Scenarios(named))
	require.Equal(t, []string{"rollout", "throughput"}, Subject{}.Scenarios(project.Project{}))
	require.Equal(t, []string{"throughput"}, Subject{Client: "acme"}.Scenarios(project.Project{}),
		"a client may have no rollout")
}

// TestTry_ofAnotherClient checks which sections a page about another client lacks, and that commands
// name its program.
func TestTry_ofAnotherClient(t *testing.T) {
	b := New(Options{
		Sections: []string{timeName, allocationsName, streamingName, largePayloadName},
		Subject:  Subject{Program: "acme-bench", Client: "acme"},
	})
	require.NoError(t, b.Try(t.Context()))
	require.Equal(t, []string{largePayloadName}, b.Measured())
	for _, s := range b.sections {
		if s.name == timeName {
			section, err := b.writeSection(s, nil)
			require.NoError(t, err)
			require.Equal(t, "Not measured: it looks into the client of package delivery, and this program drives acme. Asked for by"+
				"\n`acme-bench baseline --sections time`.", section.Body)
		}
	}
}

func TestFormatShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.001: "0.001", 0.1364: "0.1", 0.05: "0.05", 2: "2", 2.25: "2.2",
		16925.11: "16925.1", -0.5: "-0.5"} {
		require.Equal(t, want, formatShort(v))
	}
}

func TestWithoutOutputFlags(t *testing.T) {
	for command, want := range map[string]string{
		"fleetmark run rollout": "fleetmark run rollout",
		"fleetmark run rollout --out /home/somebody/runs --repeat 3": "fleetmark run rollout --repeat 3",
		"fleetmark run --out='a place' --baseline '/b c' --seed 1":   "fleetmark run --seed 1",
	} {
		require.Equal(t, want, withoutOutputFlags(command))
	}
}
