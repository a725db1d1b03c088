package profilecmd

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProfileTableFitsTheTerminal checks that pprof's text first loses sums and shares, and then
// the middles of names. The lines above the table stay.
func TestProfileTableFitsTheTerminal(t *testing.T) {
	const text = `Type: cpu
Showing nodes accounting for -0.30s, 1.2% of 24.10s total
      flat  flat%   sum%        cum   cum%
     1.20s  4.98%  4.98%      2.20s  9.13%  runtime.mallocgc
    -0.90s  3.73%  1.24%     -0.90s  3.73%  example.com/delivery.(*Client).pushOverAKeptConnection (inline)
`
	shown := func(text string, width int) string {
		var page bytes.Buffer
		require.NoError(t, writeTop(&page, width, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}))
		return page.String()
	}
	require.Equal(t, text, shown(text, 0))
	require.Equal(t, text, shown(text, 107)) // the width of the second row
	require.Equal(t, `Type: cpu
Showing nodes accounting for -0.30s, 1.2% of 24.10s total
  flat  flat%     cum   cum%  function
 1.20s  4.98%   2.20s  9.13%  runtime.mallocgc
-0.90s  3.73%  -0.90s  3.73%  example.com/delivery.(*Client).pushOverAKeptConnection (inline)
left out: sum%; COLUMNS=100 shows all
`, shown(text, 93))
	require.Equal(t, `Type: cpu
Showing nodes accounting for -0.30s, 1.2% of 24.10s total
  flat     cum  function
 1.20s   2.20s  runtime.mallocgc
-0.90s  -0.90s  example.com/delive…nnection (inline)
left out: flat%, sum%, cum%; shortened: function; COLUMNS=100 shows all
`, shown(text, 52))
	require.Equal(t, "nothing was sampled\n", shown("nothing was sampled\n", 10))
}
