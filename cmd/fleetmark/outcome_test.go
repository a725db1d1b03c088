package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestWorstFailures(t *testing.T) {
	record := func(succeeded int64, failed float64) results.Record {
		return results.Record{Op: "push", Ops: succeeded, Values: []results.Value{{Unit: "failed/device", Value: failed / (float64(succeeded) + failed)}}}
	}
	counts := func(devices, failed int) results.Run {
		return results.Run{Counts: results.Counts{Devices: devices, Failed: failed}}
	}
	for name, c := range map[string]struct {
		run         results.Run
		records     []results.Record
		failed, all int64
	}{
		"none":                         {counts(60, 0), []results.Record{record(60, 0)}, 0, 60},
		"each device once":             {counts(60, 7), []results.Record{record(58, 2), record(53, 7), record(60, 0)}, 7, 60},
		"many a device":                {counts(2, 1), []results.Record{record(999_000, 1000), record(600_001, 333_333)}, 333_333, 933_334},
		"only in a profiled one":       {counts(60, 3), []results.Record{record(60, 0)}, 3, 60},
		"all, so that none has record": {counts(5, 5), nil, 5, 5},
		"push of a delivery":           {counts(60, 0), []results.Record{{Op: "push", Ops: 60}}, 0, 60},
	} {
		t.Run(name, func(t *testing.T) {
			failed, all := worstFailures(c.run, c.records)
			require.Equal(t, c.failed, failed)
			require.Equal(t, c.all, all)
		})
	}
}
