package results

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInputErrorIsOneLine(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]*InputError{
		"page.md:12: damaged: restore it": {Path: "page.md", Line: 12, Problem: "damaged", Want: "restore it", Err: cause},
		"page.md: damaged: restore it":    {Path: "page.md", Problem: "damaged", Want: "restore it"},
		"page.md: damaged":                {Path: "page.md", Problem: "damaged"},
	} {
		require.EqualError(t, err, want)
	}
	require.ErrorIs(t, &InputError{Err: cause}, cause)
}
