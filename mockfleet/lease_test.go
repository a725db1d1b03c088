package mockfleet

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

func TestLease(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	l := &lease{now: func() time.Time { return at }}
	require.NoError(t, l.check(""), "nobody has it")
	first, err := l.take("first", "")
	require.NoError(t, err)
	require.NoError(t, l.check(first))

	at = at.Add(20 * time.Second)
	_, err = l.take("second", "")
	require.EqualError(t, err, `the fleet is driven by "first", whose lease lasts 10s more unless it is renewed`)
	require.ErrorAs(t, l.check(""), new(*LeaseError))
	require.ErrorAs(t, l.check("guessed"), new(*LeaseError))
	renewed, err := l.take("first", first)
	require.NoError(t, err)
	require.Equal(t, first, renewed)

	at = at.Add(29 * time.Second)
	require.ErrorAs(t, l.check(""), new(*LeaseError), "it was renewed")
	at = at.Add(time.Second)
	second, err := l.take("second", "")
	require.NoError(t, err, "whoever doesn't renew it loses it")
	require.NotEqual(t, first, second)
	_, err = l.take("first", first)
	require.ErrorAs(t, err, new(*LeaseError))

	l.release(first)
	require.Error(t, l.check(first), "it is another's now")
	l.release(second)
	require.NoError(t, l.check(""))
}

func TestControlLease(t *testing.T) {
	f, err := Start(t.Context(), Config{Devices: 3, Addressing: address.Path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	driver := func() *Control {
		c, err := NewControl(f.Ready().Control, f.Ready().Token)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	first, second := driver(), driver()
	refused := func(err error) {
		t.Helper()
		var e *ControlError
		require.ErrorAs(t, err, &e)
		require.Equal(t, http.StatusConflict, e.Status)
		require.Contains(t, e.Message, `driven by "a"`)
	}
	generation := func() uint64 {
		t.Helper()
		s, err := second.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, address.Path, s.Addressing)
		return s.Generation
	}
	require.NoError(t, second.Reset(t.Context()), "as long as nobody has the lease")
	before := generation()
	require.NoError(t, first.Lease(t.Context(), "a"))
	require.NoError(t, first.Lease(t.Context(), "a"), "renewed")
	refused(second.Lease(t.Context(), "b"))
	refused(second.Reset(t.Context()))
	require.Equal(t, before, generation())
	require.NoError(t, first.Reset(t.Context()))
	require.Equal(t, before+1, generation())
	require.NoError(t, first.Release(t.Context()))
	require.NoError(t, second.Lease(t.Context(), "b"))

	for _, holder := range []string{"", "a\nb", strings.Repeat("a", maxHolder+1)} {
		require.ErrorContains(t, driver().Lease(t.Context(), holder), "holder: want 1 to 128 bytes")
	}
}
