package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounts(t *testing.T) {
	sum := Counts{1, 2, 3, 4, 5}.Add(Counts{10, 20, 30, 40, 50})
	require.Equal(t, Counts{11, 22, 33, 44, 55}, sum)
	require.Equal(t, "11 devices, 22 updated, 33 failed, 44 lost, 55 applied twice", sum.String())
}
