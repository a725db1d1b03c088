package server

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestTrafficCountersShareNoCacheLine(t *testing.T) {
	require.Zero(t, unsafe.Sizeof(trafficCounters{})%128)
}
