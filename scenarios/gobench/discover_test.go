package gobench

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddTo_panicOfAnEarlierBenchmark checks output in which the testing package begins the next
// benchmark while a panic ends the process. That benchmark isn't to blame, and must be run again.
func TestAddTo_panicOfAnEarlierBenchmark(t *testing.T) {
	const run, tail = marker + "=== RUN   ", "\ntesting.(*B).runN(0x31be457e6308, 0x1)\n\t/go/src/testing/benchmark.go:219 +0x190\n"
	for _, c := range []struct{ name, trace, want string }{
		{"its function", "px.BenchmarkB(0x31be457e6308?)", "BenchmarkB"},
		{"a function within it", "os.Exit(0x0)\n\t/go/src/os/proc.go:67 +0x51\npx.BenchmarkB.func1(0x2b36c0ab0608?)",
			"BenchmarkB"},
		{"a goroutine that it started", "px.work()\ncreated by px.BenchmarkB in goroutine 7", "BenchmarkB"},
		{"the last one", "px.BenchmarkBC(0x31be457e6308?)", "BenchmarkBC"},
		{"nobody knows", "px.work()", "BenchmarkBC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &finished{
				stdout: run + "BenchmarkA\n" + "BenchmarkA-2 \t       1\t       5 ns/op\n" + run + "BenchmarkB\n" + run +
					"BenchmarkBC\n",
				stderr: "panic: oh no\n\ngoroutine 20 [running]:\n" + c.trace + tail, err: errors.New("exit status 2"),
			}
			all := firstRuns{}
			require.Equal(t, c.want, f.addTo(all, "px", []int{2}))
			require.Equal(t, firstRun{took: 5}, all[Benchmark{"px", "BenchmarkA", 2}])
			require.NotNil(t, all[Benchmark{"px", c.want, 2}].problem)
			if c.want == "BenchmarkB" {
				require.NotContains(t, all, Benchmark{"px", "BenchmarkBC", 2}, "it must be run in the next process")
			}
		})
	}
}
