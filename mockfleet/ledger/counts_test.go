package ledger

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryCountHasItsName checks that queries can use every count of an entry, by its name in
// JSON.
func TestEveryCountHasItsName(t *testing.T) {
	var e Entry
	var want []string
	v := reflect.ValueOf(&e.Counts).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		want = append(want, name)
		v.Field(i).SetUint(uint64(len(want)))
	}
	want = append(want, bytesReceived)
	e.BytesReceived = uint64(len(want))
	var got []string
	for n, c := range e.All() {
		got = append(got, c.Name)
		require.EqualValues(t, n+1, *c.Count)
		require.EqualValues(t, n+1, e.countOf(c.Name))
	}
	got = append(got, bytesReceived)
	require.EqualValues(t, len(got), e.countOf(bytesReceived))
	require.Equal(t, want, got)
	asJSON, err := json.Marshal(e)
	require.NoError(t, err)
	for _, name := range want {
		require.Contains(t, string(asJSON), `"`+name+`":`)
	}
}
