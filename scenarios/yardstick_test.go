package scenarios

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestYardstick(t *testing.T) {
	ns, err := Yardstick(t.Context())
	require.NoError(t, err)
	require.Positive(t, ns)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Yardstick(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// BenchmarkYardstick shows how much the machine moves: run it a few times over.
func BenchmarkYardstick(b *testing.B) {
	var sum float64
	for b.Loop() {
		ns, err := Yardstick(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		sum += ns
	}
	b.ReportMetric(sum/float64(b.N), "ns/trip")
}
