package gobench

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// TestExplain_lock holds a lock for longer, so that only the profile of waits differs.
func TestExplain_lock(t *testing.T) {
	testenv.Slow(t)
	skipIfRaced(t)
	body := func(held string) string {
		return test(`import ("sync"; "testing"; "time")

var mu sync.Mutex

// Work holds a lock that others wait for, and uses no processor time.
func Work() {
	mu.Lock()
	time.Sleep(` + held + `)
	mu.Unlock()
}

func BenchmarkLock(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			Work()
		}
	})
}
`)
	}
	r := newRepository(t, map[string]string{"m_test.go": body("100 * time.Microsecond")})
	r.write(map[string]string{"m_test.go": body("2 * time.Millisecond")})
	o := r.options()
	o.Budget = 30 * time.Second // some five seconds are needed
	out, err := Compare(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, find(t, out, "Lock-2", "ns/op").Verdict)
	found, err := out.Explain(t.Context(), filepath.Join(t.TempDir(), "why"), nil)
	require.NoError(t, err)
	require.NotEmpty(t, found)
	require.Equal(t, profiles.Block, found[0].Kind)
	require.NotEmpty(t, found[0].Causes)
	require.Equal(t, "example.com/m.Work", found[0].Causes[0].Function)
}
