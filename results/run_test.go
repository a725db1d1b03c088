package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounts_String(t *testing.T) {
	require.Equal(t, "11 devices, 22 updated, 33 failed, 44 lost, 55 applied twice", Counts{11, 22, 33, 44, 55}.String())
}
