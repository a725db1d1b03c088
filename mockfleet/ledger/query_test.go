package ledger

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// What is read of a query is written in the same way again; what is refused says why in a line.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "group=slow&stage=running&fault=refuse", "from=3&to=5&limit=1&all=true", "has=applied&lacks=applied_twice&version=2.0.0",
		"from=-1", "all=1", "limit=99999999999999999999", "group=a&group=b", "x=y", "version=%00%ff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := ParseQuery(values)
		if err != nil {
			var bad *field.Error
			require.ErrorAs(t, err, &bad)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		again, err := ParseQuery(q.Values())
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}
