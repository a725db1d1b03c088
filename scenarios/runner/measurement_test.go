package runner

import (
	"runtime"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/stretchr/testify/require"
)

// TestHeapFiguresGoInSteps: what a repetition allocates once is the same nothing for a
// slow machine and a fast one, and what each operation allocates stays.
func TestHeapFiguresGoInSteps(t *testing.T) {
	for _, row := range []struct {
		ops                    int64
		bytes, objects         uint64
		perOpBytes, perOpCount float64
	}{
		{2_000, 5_000, 40, 0, 0},
		{200_000, 5_000, 40, 0, 0},
		{2_000, 2_000*48 + 5_000, 2_000 + 40, 48, 1},
		{200_000, 200_000*48 + 5_000, 200_000 + 40, 48, 1},
		{5_000, 13_562_272, 146_696, 2712, 29.35}, // 2,712.45 and 29.3392
	} {
		spec := scenarios.Spec{Name: "x", Load: scenarios.LoadSpec{Model: scenarios.ClosedLoop, Operation: delivery.OpPush, Workers: 1}}
		pushes := load.NewLatencies(false, minLongest)
		for range row.ops {
			pushes.Add(time.Millisecond, time.Millisecond)
		}
		m := &measured{Result: load.Result{Elapsed: time.Second}, Totals: load.Totals{Succeeded: row.ops}, usage: usage{bytes: row.bytes, objects: row.objects}}
		m.latencies = map[delivery.Op]*load.Latencies{delivery.OpPush: pushes}
		list := m.records(spec, 1)
		require.Len(t, list, 1)
		bytes, _ := list[0].Value("B/op")
		objects, _ := list[0].Value("allocs/op")
		require.Equal(t, []float64{row.perOpBytes, row.perOpCount}, []float64{bytes, objects}, "%+v", row)
	}
}

// TestUsage: an allocation is counted when it is made, not when the runtime gets
// round to it.
func TestUsage(t *testing.T) {
	const n = 100
	kept := make([]*[48]byte, n)
	begin := takeUsage()
	for i := range kept {
		kept[i] = new([48]byte)
	}
	used := begin.until(takeUsage())
	runtime.KeepAlive(kept)
	require.InDelta(t, n, used.objects, 20, "but for what other goroutines make")
	require.InDelta(t, 48*n, used.bytes, 4096)
}
