package exchange

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewHeader(t *testing.T) {
	h := NewHeader([]Field{{"A", "1"}, {"B", "2"}}, 77)
	require.Equal(t, "A: 1\r\nB: 2\r\nContent-Length: 77\r\n", string(h.Lines))
	require.Equal(t, []Field{{"A", "1"}, {"B", "2"}}, h.Fields, "net/http is told the length otherwise")
	require.Equal(t, "A: 1\r\n", string(NewHeader([]Field{{"A", "1"}}, 0).Lines))
}

func TestNewCommonHeader(t *testing.T) {
	h := NewCommonHeader(http.Header{"x-b": {"2", "3"}, "X-A": {"1"}})
	require.Equal(t, "User-Agent: fleetmark-delivery\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\n", string(h.Lines))
	require.Equal(t, []string{"fleetmark-delivery"}, h.UserAgent)
	require.Equal(t, []FieldValues{{"X-A", []string{"1"}}, {"X-B", []string{"2", "3"}}}, h.Fields)

	h = NewCommonHeader(http.Header{"user-agent": {"till/1"}, "X-A": {"1"}})
	require.Equal(t, "X-A: 1\r\nUser-Agent: till/1\r\n", string(h.Lines), "the names' order")
	require.Equal(t, []string{"till/1"}, h.UserAgent)
	require.Equal(t, []FieldValues{{"X-A", []string{"1"}}}, h.Fields)

	require.Equal(t, "User-Agent: fleetmark-delivery\r\n", string(NewCommonHeader(nil).Lines))
}
