package target

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServe_withoutADriver checks that the error tells a user who starts the process by hand what
// it is for.
func TestServe_withoutADriver(t *testing.T) {
	for input, want := range map[string]string{
		"":               "standard input holds no scenario; it is for the driver, which starts it: EOF",
		`{"name":"half"`: "standard input holds no scenario; it is for the driver, which starts it: EOF",
		"hello\n":        "standard input is not a scenario as JSON; it is for the driver, which starts it: invalid character 'h' looking for beginning of value",
	} {
		var out bytes.Buffer
		err := Serve(t.Context(), strings.NewReader(input), &out)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrNotDriven)
		require.Empty(t, out.String())
	}
}
