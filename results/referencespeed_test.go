package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewReferenceSpeed(t *testing.T) {
	require.Nil(t, NewReferenceSpeed(nil))
	require.Equal(t, &ReferenceSpeed{RoundTripNS: 2.5, Blocks: 4}, NewReferenceSpeed([]float64{4, 1, 2, 3}))
}
