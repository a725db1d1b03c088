package exchange

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCopyChunk(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000) // more than a chunk
	var chunks ChunkPool
	for name, b := range map[string]*Body{
		"in memory": {Source: strings.NewReader("not looked at"), Memory: []byte(text), Size: int64(len(text))},
		"elsewhere": {Source: strings.NewReader(text), Size: int64(len(text))},
	} {
		t.Run(name, func(t *testing.T) {
			var to bytes.Buffer
			for at := int64(0); at < b.Size; {
				n, err := chunks.CopyChunk(&to, b, at, min(ChunkSize, b.Size-at))
				require.NoError(t, err)
				at += n
			}
			require.Equal(t, text, to.String())
		})
	}
	short := &Body{Source: strings.NewReader("abc"), Size: 5}
	var to bytes.Buffer
	n, err := chunks.CopyChunk(&to, short, 1, 4)
	require.Zero(t, n)
	require.Zero(t, to.Len(), "what isn't whole isn't sent")
	require.EqualError(t, err, "reading artifact at byte 3: unexpected EOF")
	var source *SourceError
	require.ErrorAs(t, err, &source)

	full := errors.New("full")
	n, err = chunks.CopyChunk(&limited{n: 2, err: full}, &Body{Source: strings.NewReader("abcde"), Size: 5}, 0, 5)
	require.EqualValues(t, 2, n)
	require.Equal(t, full, err, "the writer's error is its own")
	require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
}

// limited takes n bytes of a write, and then fails.
type limited struct {
	n   int
	err error
}

func (l *limited) Write([]byte) (int, error) { return l.n, l.err }
