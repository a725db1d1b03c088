package mockfleet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// BenchmarkWrk makes wrk post 1 KiB over 64 connections to one device of a fleet and to a bare
// fasthttp server that reads the body and answers the same JSON, each in a process of its own. An
// iteration is 3 s of each; the order alternates, so that other load on the machine affects both
// alike. Run it with -benchtime 8x. Each figure is the median over all iterations, and each ratio
// the median of their ratios. The benchmark also reports the processor time for a request, which
// other load disturbs less than the rate.
func BenchmarkWrk(b *testing.B) {
	const size, duration = 1024, "-d3s"
	wrk := program(b, "wrk")
	script := inFile(b, "post.lua", []byte(wrkPost(size)))
	type figures struct{ rate, cpu []float64 }
	var ofFleet, ofBare, ratio figures
	run := func(p *process, f *figures) {
		before := p.usage(b).CPUSeconds
		output := mustSay(b, wrk, "-t2", "-c64", duration, "-s", script,
			p.ready.Address+address.PathPrefix+"0"+wire.PathUpdate)
		n := wrkReport(b, output)
		f.rate = append(f.rate, reported(b, `^Requests/sec: +([0-9.]+)$`, output))
		f.cpu = append(f.cpu, (p.usage(b).CPUSeconds-before)*1e9/float64(n))
	}
	fleet, bare := startHelper(b, "fleet", "1", string(address.Path)), startHelper(b, "bare")
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			run(fleet, &ofFleet)
			run(bare, &ofBare)
		} else {
			run(bare, &ofBare)
			run(fleet, &ofFleet)
		}
		ratio.rate = append(ratio.rate, ofFleet.rate[i]/ofBare.rate[i])
		ratio.cpu = append(ratio.cpu, ofFleet.cpu[i]/ofBare.cpu[i])
		b.Logf("fleet %.0f requests/s, %.0f ns of processors each; bare %.0f, %.0f; ratios %.3f, %.3f",
			ofFleet.rate[i], ofFleet.cpu[i], ofBare.rate[i], ofBare.cpu[i], ratio.rate[i], ratio.cpu[i])
	}
	status, err := openControlAt(b, fleet.ready).Status(b.Context())
	require.NoError(b, err)
	require.EqualValues(b, 1, status.Applied)
	require.Zero(b, status.Rejected+status.Incomplete+status.Malformed)
	b.ReportMetric(0, "ns/op") // would be the time of wrk
	b.ReportMetric(median(ofFleet.rate), "fleet-requests/s")
	b.ReportMetric(median(ofBare.rate), "bare-requests/s")
	b.ReportMetric(median(ratio.rate), "ratio")
	b.ReportMetric(median(ofFleet.cpu), "fleet-cpu-ns/request")
	b.ReportMetric(median(ofBare.cpu), "bare-cpu-ns/request")
	b.ReportMetric(median(ratio.cpu), "cpu-ratio")
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
