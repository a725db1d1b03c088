package baseline

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// ReadBenchmarkFile reads the Go benchmarks of a baseline page, or the output of go test or go test
// -json as [results.ParseBenchmarkFile] does. Its errors are [*results.InputError].
func ReadBenchmarkFile(path string) (*results.BenchmarkFile, error) {
	data, err := results.ReadTextFile(path, results.MaxSamplesBytes)
	if err != nil {
		return nil, err
	}
	return parseBenchmarkFile(path, data)
}

// ReadBenchmarks reads the Go benchmarks of r, as [ReadBenchmarkFile] does from a file. name stands
// for the path.
func ReadBenchmarks(r io.Reader, name string) (*results.BenchmarkFile, error) {
	data, err := results.ReadAll(plaintext.Reader(r), name, results.MaxSamplesBytes)
	if err != nil {
		return nil, err
	}
	return parseBenchmarkFile(name, data)
}

func parseBenchmarkFile(path string, data []byte) (*results.BenchmarkFile, error) {
	if !IsPage(data) {
		return results.ParseBenchmarkFile(path, data)
	}
	page, err := Parse(data, path)
	if err != nil {
		return nil, err
	}
	f := results.NewBenchmarkFile(path, page.Benchmarks...)
	if len(f.Samples) == 0 {
		return nil, &results.InputError{
			Path: path, Problem: "holds no Go benchmarks",
			Want: "name them under benchmarks in fleetmark.yaml, and run `fleetmark baseline`",
		}
	}
	return f, nil
}

// checkBenchmarks returns an error if the benchmarks would break the page, or would read back
// differently.
func checkBenchmarks(g results.GoBenchmarks) error {
	samples, err := results.ParseGoBenchmarks(g.Lines)
	switch {
	case err != nil:
		return fmt.Errorf("benchmarks of %q: %w", g.Command, err)
	case g.Command == "":
		return errors.New("benchmarks: want the command that measured them")
	case len(samples) == 0:
		return fmt.Errorf("benchmarks of %q: no samples: want at least one", g.Command)
	case !reflect.DeepEqual(samples, g.Samples):
		return fmt.Errorf("benchmarks of %q: want the samples that the lines hold", g.Command)
	}
	return nil
}
