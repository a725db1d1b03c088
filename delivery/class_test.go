package delivery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassCounts(t *testing.T) {
	var c ClassCounts
	require.Empty(t, c.String())
	c[ClassTimeout], c[ClassIntegrity] = 3, 1
	require.Equal(t, 4, c.Total())
	require.Equal(t, "3 timeout, 1 integrity", c.String())
}

func TestIsTransient(t *testing.T) {
	var transient []string
	for class := range numClasses {
		if class.IsTransient() {
			transient = append(transient, class.String())
		}
	}
	require.Equal(t, []string{"not-sent", "timeout", "ambiguous", "throttled", "conflict", "pending"}, transient)
}
