package gobench

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{".", "BenchmarkPush", true},
		{"Push", "BenchmarkPush64", true},
		{"^BenchmarkPush$", "BenchmarkPush64", false},
		{"Push|Verify", "BenchmarkVerify", true},
		{"Push/size", "BenchmarkPush/size=1", true},
		{"Push/size", "BenchmarkPush/other", false},
		{"Push/size", "BenchmarkPush", true}, // the benchmark may have such a sub-benchmark
		{"Push/a|Verify/b", "BenchmarkVerify/b", true},
		{"Push/a|Verify/b", "BenchmarkVerify/a", false},
		{"Push/(a|b)", "BenchmarkPush/b", true},
		{"Push/[a/b]", "BenchmarkPush/x/", false},
		{`Push/a\|b`, "BenchmarkPush/a|b", true},
		{"Push/a b", "BenchmarkPush/a_b", true},
	} {
		got, err := Matches(c.pattern, c.name)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, got, "%s %s", c.pattern, c.name)
	}
	for _, bad := range []string{"((", "Push/[", "a|*"} {
		_, err := Matches(bad, "BenchmarkPush")
		require.ErrorContains(t, err, strconv.Quote(bad)+": error parsing regexp: ")
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("Push/(a|b)", "BenchmarkPush/b")
	f.Add(`\`, "x")
	f.Fuzz(func(t *testing.T, pattern, name string) { _, _ = Matches(pattern, name) })
}
