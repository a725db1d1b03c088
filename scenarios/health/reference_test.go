package health

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReferenceBenchmark(t *testing.T) {
	ns, err := ReferenceBenchmark(t.Context())
	require.NoError(t, err)
	require.Positive(t, ns)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ReferenceBenchmark(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// BenchmarkReference shows how much the machine's speed varies: run it a few times.
func BenchmarkReference(b *testing.B) {
	var sum float64
	for b.Loop() {
		ns, err := ReferenceBenchmark(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		sum += ns
	}
	b.ReportMetric(sum/float64(b.N), "ns/trip")
}
