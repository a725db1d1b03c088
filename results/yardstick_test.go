package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewYardstick(t *testing.T) {
	require.Nil(t, NewYardstick(nil))
	require.Equal(t, &Yardstick{RoundTripNS: 2.5, Blocks: 4}, NewYardstick([]float64{4, 1, 2, 3}))
}
