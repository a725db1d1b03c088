package baselinepage

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/opcost"
)

// rowsOf returns the cells of the rows of a section's tables whose first cell is the given one.
func rowsOf(s baseline.Section, first string) (rows [][]string) {
	for line := range strings.SplitSeq(s.Body, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == first {
			rows = append(rows, cells)
		}
	}
	return rows
}

// written returns a section as written on an otherwise empty page.
func written(t *testing.T, write func(*baseline.SectionWriter, content)) baseline.Section {
	t.Helper()
	w := baseline.NewSection("section", "Section")
	write(w, content{page: &baseline.Page{}})
	section, err := w.Section()
	require.NoError(t, err)
	return section
}

// TestAllocations_addUp checks that the parts in a row add up to its whole, apart from rounding,
// which may take a twentieth of each.
func TestAllocations_addUp(t *testing.T) {
	variant := opcost.Variant{Op: delivery.OpPush, Transport: delivery.Lean, NewConnection: true}
	a := opcost.Allocations{Variant: variant, N: 3, Objects: 88, Bytes: 5040, Profile: profiles.Breakdown{
		Objects: 86, Bytes: 5040,
		Components: []profiles.ComponentTotal{{Name: "request", Objects: 1, Bytes: 40},
			{Name: "connection", Objects: 85, Bytes: 5000}, {Name: "other"}},
	}}
	s := written(t, (&opcostMeasurement{report: &opcost.Report{Allocations: []opcost.Allocations{a}}}).writeAllocations)
	rows := rowsOf(s, "push")
	require.Equal(t, [][]string{
		{"push", "lean", "new", "13.3", "1666.7", "0", "0", "1680"},
		{"push", "lean", "new", "0.3", "28.3", "0", "0.7", "29.3"},
	}, rows)
	for _, row := range rows {
		sum := 0.
		for _, cell := range row[3 : len(row)-1] {
			v, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			sum += v
		}
		whole, err := strconv.ParseFloat(row[len(row)-1], 64)
		require.NoError(t, err)
		require.InDelta(t, whole, sum, 0.05*float64(len(row)))
	}
	require.InDelta(t, 88./3, s.Figures["push lean new allocs/op"], 1e-9)
}

func TestAllocations_none(t *testing.T) {
	report := &opcost.Report{Allocations: []opcost.Allocations{{
		Variant: opcost.Variant{Op: delivery.OpPush, Transport: delivery.Lean}, N: 100,
		Profile: profiles.Breakdown{Components: []profiles.ComponentTotal{{Name: "other"}}},
	}}}
	s := written(t, (&opcostMeasurement{report: report}).writeAllocations)
	require.Equal(t, [][]string{{"push", "lean", "kept-alive", "0", "0", "0"},
		{"push", "lean", "kept-alive", "0", "0", "0"}}, rowsOf(s, "push"))
}

func TestTimeAndStreaming(t *testing.T) {
	measured := &opcostMeasurement{report: &opcost.Report{
		Phases: []opcost.Phases{{Variant: opcost.Variant{Op: delivery.OpVerify, Transport: delivery.NetHTTP}, N: 7,
			Prepare: 1000, Connect: 200, Write: 8000, Wait: 10_000, Read: 800, Whole: 20_000, P99: 90_000}},
		PushMemory: []opcost.PushMemory{{Size: 10e6, PeakBefore: 30 << 20, Peak: 31 << 20, Allocated: 1 << 19, Nanos: 1e7},
			{Size: 1e6, Allocated: 1, Nanos: 1e6}},
	}}
	s := written(t, measured.writeTime)
	require.Equal(t, [][]string{{"verify", "nethttp", "kept-alive", "1.00µs", "200ns", "8.00µs", "10.0µs", "800ns",
		"20.0µs", "90.0µs"}}, rowsOf(s, "verify"))
	require.Contains(t, strings.Join(strings.Fields(s.Body), " "),
		"So 50% of the median verify over nethttp on a connection that stays is waiting for the device, and 10% is the client's own")
	require.Equal(t, 10_000., s.Figures["verify nethttp kept-alive wait ns"])

	s = written(t, measured.writeStreaming)
	require.Equal(t, [][]string{{"10 MB", "30.0 MiB", "31.0 MiB", "1.0 MiB", "0.5 MiB", "1000MB/s"}}, rowsOf(s, "10 MB"))
	require.Equal(t, [][]string{{"1 MB", "not told here", "not told here", "", "0.0 MiB", "1000MB/s"}}, rowsOf(s, "1 MB"))
	require.Equal(t, 1048576., s.Figures["10 MB peak growth B"])
	require.NotContains(t, s.Figures, "1 MB peak growth B")
}

func TestOverhead(t *testing.T) {
	s := written(t, (&overhead{ratios: []abtest.Overhead{
		{Unit: "cpu-ns/op", Ratio: &sequential.Ratio{Pairs: 40, Estimate: 1.01, Low: 0.99, High: 1.025}},
		{Unit: "ns/op", Ratio: &sequential.Ratio{Pairs: 40, Estimate: 0.998, Low: 0.98, High: 1.02}},
	}}).write)
	require.Equal(t, [][]string{{"cpu-ns/op", "+1.0%", "-1.0% to +2.5%", "40"}}, rowsOf(s, "cpu-ns/op"))
	require.InDelta(t, 1, s.Figures["push cpu-ns/op percent more"], 1e-9)
}
