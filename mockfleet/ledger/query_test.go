package ledger

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// FuzzParseQuery checks that a query that is read is written in the same way again, and that an
// error is a single line.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "group=slow&stage=running&fault=refuse", "from=3&to=5&limit=1&all=true",
		"has=applied&lacks=applied_twice&version=2.0.0",
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

// TestQueryTakesOldNames checks that queries take the names that counts had a release ago.
func TestQueryTakesOldNames(t *testing.T) {
	e := Entry{Counts: Counts[uint32]{
		FalseAcks: 1, InstallFailures: 1, ConnectionsAborted: 1, ConnectionsOverLimit: 1, Misdirected: 1, ForcedRejects: 1,
		Incomplete: 1,
	}}
	for _, old := range []string{"feigned", "unfit", "struck", "turned_away", "misaddressed", "faulted", "broken"} {
		for _, row := range []struct {
			q    Query
			want bool
		}{{Query{Has: old}, true}, {Query{Lacks: old}, false}} {
			require.NoError(t, row.q.Validate(nil))
			require.Equal(t, row.want, row.q.Matches(&e), "%+v", row.q)
			require.Equal(t, !row.want, row.q.Matches(&Entry{}), "%+v", row.q)
		}
	}
	require.ErrorContains(t, Query{Has: "luck"}.Validate(nil),
		"one of pushes, applied, applied_twice, repeats, rejected, forced_rejects, false_acks")
}
