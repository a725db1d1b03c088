package lean

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnsweredLooksPastInterimAnswers checks that only a final answer, or the end of the
// connection, stops an upload.
func TestAnsweredLooksPastInterimAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	c := newConn()
	c.open(connKey{host: "a"}, near)
	defer c.close()

	require.False(t, c.isAnsweredEarly())
	for _, step := range []struct {
		text string
		want bool
	}{
		{"HTTP/1.1 1", false},
		{"00 Continue\r\n", false},
		{"\r\n", false},
		{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.", false},
		{"1 413 Too Large\r\n", true},
	} {
		_, err := io.WriteString(far, step.text)
		require.NoError(t, err)
		require.Equal(t, step.want, c.isAnsweredEarly(), "%q", step.text)
	}
}
