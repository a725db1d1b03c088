package report

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestABTestLayouts checks what the summary of a comparison says of further layouts: those of two
// builds are other orders of their functions, those of two commands other starts.
func TestABTestLayouts(t *testing.T) {
	for _, c := range []struct {
		test ABTest
		want string
	}{
		{ABTest{}, "base: a; now: b"},
		{ABTest{Layouts: 6, LayoutsElapsed: 12 * time.Second}, "base: a; now: b; then 6 layouts of both sides' code in 12 s"},
		{ABTest{Layouts: 1, LayoutsElapsed: 2 * time.Second, Restarted: true},
			"base: a; now: b; then 1 layout in memory (both programs started again) in 2 s"},
		{ABTest{LayoutsErr: errors.New("no linker\n\tat all")},
			"base: a; now: b; other layouts of the code couldn't be built: no linker; at all"},
	} {
		c.test.BaseState, c.test.NowState = "a", "b"
		require.Equal(t, []string{c.want}, c.test.scenariosSummary())
	}
}
