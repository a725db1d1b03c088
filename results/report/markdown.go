package report

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// Markdown writes the page of a run to w. A nil judgement stands for one without
// a baseline.
func Markdown(w io.Writer, run results.LoadedRun, judgement *results.Judgement) error {
	if judgement == nil {
		judgement = results.JudgeRun(nil, run.Run, run.Records)
	}
	p := &writer{run: run, judgement: judgement}
	p.verdict()
	p.outcome()
	p.thresholds()
	p.metrics()
	p.health()
	p.machine()
	p.reproduce()
	p.profiles()
	if p.err == nil {
		_, p.err = w.Write(p.out.Bytes())
	}
	if p.err != nil {
		return fmt.Errorf("write report: %w", p.err)
	}
	return nil
}

// A writer collects the page; err is the first error of a table.
type writer struct {
	run       results.LoadedRun
	judgement *results.Judgement
	out       bytes.Buffer
	err       error
}

func (p *writer) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

func (p *writer) table(t page.Table) {
	if p.err == nil {
		p.err = t.Markdown(&p.out)
	}
}

func (p *writer) verdict() {
	run := p.run
	p.printf("# Run of %s\n\n", page.Escape(run.Scenario))
	verdict := string(p.judgement.Verdict)
	if verdict == "" {
		verdict = "no verdict"
	}
	p.printf("**%s**: %s.\n\n", verdict, page.Escape(strings.TrimSuffix(p.judgement.Reason, ".")))
	if !run.Valid && run.Status != results.StatusRunning {
		p.printf("The run is **invalid**, and its numbers mean nothing:\n\n")
		for _, reason := range run.Invalid {
			p.printf("- %s\n", page.Escape(reason))
		}
		if len(run.Invalid) == 0 {
			p.printf("- no reason was recorded\n")
		}
		p.printf("\n")
	}
	if run.Unfinished || run.Status == results.StatusInterrupted || run.Status == results.StatusFailed {
		status := string(run.Status)
		if run.Unfinished {
			status = "unfinished"
		}
		p.printf("The run is **%s**: it holds the %s that ended before.\n\n", status, count(run.Repetitions, "repetition"))
	}
	for _, warning := range run.Warnings {
		p.printf("- Warning: %s\n", page.Escape(warning))
	}
	if len(run.Warnings) > 0 {
		p.printf("\n")
	}
}

func (p *writer) outcome() {
	p.printf("## Outcome\n\n")
	if p.run.ClientsWordOnly {
		p.printf("Client's word only: no ledger confirmed what became of the devices.\n\n")
	} else {
		p.printf("What the client claimed and what the fleet's ledger saw, reconciled.\n\n")
	}
	t := page.Table{Header: []string{"repetition", "devices", "updated", "failed", "lost", "applied twice"}, Align: "rrrrrr"}
	row := func(name string, c results.Counts) {
		cells := []string{name}
		for _, n := range []int{c.Devices, c.Updated, c.Failed, c.Lost, c.AppliedTwice} {
			cells = append(cells, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, cells)
	}
	for i, c := range p.run.RepetitionCounts {
		row(strconv.Itoa(i+1), c)
	}
	row("all", p.run.Counts)
	p.table(t)
	p.printf("\n")
}

func (p *writer) thresholds() {
	if len(p.run.Thresholds) == 0 {
		return
	}
	p.printf("## Thresholds\n\n")
	if summary := results.ThresholdSummary(p.run.Thresholds); summary != "" {
		p.printf("**%s**.\n\n", page.Escape(summary))
	}
	if p.err == nil {
		p.err = results.WriteThresholdsMarkdown(&p.out, p.run.Thresholds)
	}
	p.printf("\n")
}

func (p *writer) metrics() {
	p.printf("## Metrics\n\n")
	if len(p.judgement.Rows) == 0 {
		p.printf("None: no repetition was completed.\n\n")
		return
	}
	if p.judgement.HasBaseline {
		p.printf("Each value is the median with half its 95%% confidence interval; p is the Mann-Whitney U test's, before Holm's correction.\n\n")
	} else {
		p.printf("Each value is the median with half its 95%% confidence interval.\n\n")
	}
	if p.err == nil {
		p.err = p.judgement.WriteMarkdown(&p.out)
	}
	p.printf("\n")
}

func (p *writer) health() {
	fleet, harness := p.run.Fleet, p.run.Harness
	saturated := map[bool]string{false: "no", true: "**yes**: it was the bottleneck"}
	p.printf("## Can the numbers be trusted\n\n")
	p.table(page.Table{Header: []string{"what", "driver", "fleet"}, Align: "lrr", Rows: [][]string{
		{"processor, share of all cores", percent(harness.CPUFraction), percent(fleet.CPUFraction)},
		{"peak resident memory", resident(harness.PeakResidentBytes), resident(fleet.PeakResidentBytes)},
		{"saturated", saturated[harness.Saturated], saturated[fleet.Saturated]},
		{"behind the plan, 99th percentile", page.Escape(time.Duration(harness.LatenessP99NS).String()), ""},
		{"garbage collection, share of its processor time", percent(harness.GCCPUFraction), ""},
	}})
	p.printf("\n")
	if o := harness.Pacing; o != nil {
		p.printf("Of the operations, %s were due while every worker was busy; at most %d workers were busy at once. Where a worker stood ready, the latest hundredth was sent %s late or more.\n\n",
			percent(o.StarvedFraction), o.BusyWorkersPeak, page.Escape(time.Duration(o.TimerLatenessP99NS).String()))
	}
	if o := harness.Ports; o != nil {
		p.printf("At most %s.\n\n", o)
	}
	if y := harness.Yardstick; y != nil {
		p.printf("By the yardstick, a round trip between two bare sockets took %s (median of %d blocks).\n\n", results.FormatValue(y.RoundTripNS, "ns/op"), y.Blocks)
	}
	if i := harness.Interference; i != nil {
		p.printf("Meanwhile %s.\n\n", i)
	}
}

func (p *writer) machine() {
	run := p.run
	rows := [][]string{
		{"machine", page.Escape(run.Machine.String())},
		{"revision", page.Code(run.Revision)},
		{"transport", page.Escape(run.Transport)},
		{"addressing", page.Escape(run.Addressing)},
		{"started", run.Started.UTC().Format(time.RFC3339)},
	}
	if !run.Finished.IsZero() {
		rows = append(rows, []string{"finished", run.Finished.UTC().Format(time.RFC3339)})
	}
	p.printf("## Where it was measured\n\n")
	p.table(page.Table{Header: []string{"what", "value"}, Rows: rows})
	p.printf("\n")
}

func (p *writer) reproduce() {
	p.printf("## How to reproduce\n\nWith seed %d, of the work %s:\n\n", p.run.Seed, orNone(page.Code(p.run.WorkloadDigest)))
	command := p.run.Command
	if command == "" {
		command = "fleetmark run " + p.run.Scenario
	}
	if p.err == nil {
		p.err = page.Fence(&p.out, "sh", command)
	}
	p.printf("\nThe scenario, whole and resolved, stands in %s; every sample in %s.\n\n", page.Code(results.RunFile), page.Code(results.SamplesFile))
}

func (p *writer) profiles() {
	p.printf("## Profiles\n\nIn %s beside this page, one file a kind and profiled repetition; the timed repetitions ran without them.\n\n",
		page.Code(results.ProfilesName+"/"))
	if p.err == nil {
		p.err = page.Fence(&p.out, "sh", "fleetmark profile top "+quote(path.Clean(p.run.Path)))
	}
}

// quote makes one word of a path for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// resident is a dash where nobody could look, as in a fleet of real devices.
func resident(bytes uint64) string {
	if bytes == 0 {
		return "–"
	}
	return results.FormatValue(float64(bytes), "peak-rss-B")
}

func percent(fraction float64) string { return strconv.FormatFloat(100*fraction, 'f', 1, 64) + "%" }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func orNone(s string) string {
	if s == "" {
		return "(no digest)"
	}
	return s
}
