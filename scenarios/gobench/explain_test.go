package gobench

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// lock returns a test file whose benchmark runs in parallel. It holds a lock for so long, or takes none.
func lock(held string) string {
	take := "\tmu.Lock()\n\tdefer mu.Unlock()\n"
	if held == "" {
		take, held = "", "100 * time.Microsecond"
	}
	return test(`import ("sync"; "testing"; "time")

var mu sync.Mutex

// Work may hold a lock that others wait for, and hardly uses the processor.
func Work() {
` + take + `	time.Sleep(` + held + `)
}

func BenchmarkLock(b *testing.B) {
	mu.Lock()
	mu.Unlock()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			Work()
		}
	})
}
`)
}

// TestExplain_lock makes a benchmark wait longer for a lock, so that only the profile of waits differs.
func TestExplain_lock(t *testing.T) {
	testenv.Slow(t)
	skipIfRaced(t)
	for name, c := range map[string]struct {
		base, now string
		cpu       time.Duration // what the process seems to have used besides, as on a busy machine: it is explained first
	}{
		"held for longer":         {base: "100 * time.Microsecond", now: "2 * time.Millisecond", cpu: time.Hour},
		"taken by one side alone": {base: "", now: "2 * time.Millisecond"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, map[string]string{"m_test.go": lock(c.base)})
			r.write(map[string]string{"m_test.go": lock(c.now)})
			o := r.options()
			o.Budget = 30 * time.Second // some five seconds are needed
			out, err := Compare(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, results.Regressed, find(t, out, "Lock-2", "ns/op").Verdict)
			only := out.comparison.targets[0]
			only.cpu[only.now] += c.cpu
			found, err := out.Explain(t.Context(), filepath.Join(t.TempDir(), "why"), nil)
			require.NoError(t, err)
			waits := slices.IndexFunc(found, func(c *Cause) bool { return c.Kind == profiles.Block })
			require.GreaterOrEqual(t, waits, 0)
			require.NotEmpty(t, found[waits].Causes)
			require.Equal(t, "example.com/m.Work", found[waits].Causes[0].Function)
		})
	}
}
