package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorsShowNoSecretOfAnAddress(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { panic("dialed") }
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		for _, address := range []string{
			"http://admin:s3cret@10.0.0.1", "http://s3cret@10.0.0.1/update", "http://admin:s3cret/x@10.0.0.1",
			"https://a:s3cret?@b",
			"admin:s3cret@10.0.0.1", "ftp://admin:s3cret@10.0.0.1", "http://10.0.0.1/?token=s3cret", "http://10.0.0.1/#s3cret",
			"http://admin:s3cret@" + strings.Repeat("a", 3000), "http://10.0.0.1?token=s3cret@",
			"http://admin:s3cret@a\r\nX-Evil: 1",
		} {
			d := Device{Address: address}
			_, delivered := c.Deliver(t.Context(), d, u)
			for _, err := range []error{d.Validate(), c.Push(t.Context(), d, u), c.Verify(t.Context(), d, u),
				c.Push(t.Context(), d, nil), delivered} {
				require.Error(t, err, "%q", address)
				for _, shown := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
					require.NotContains(t, shown, "s3cret")
				}
				require.NotContains(t, err.Error(), "\n")
				require.Less(t, len(err.Error()), 600)
				if e, ok := errors.AsType[*Error](err); ok {
					require.NotContains(t, e.Device, "s3cret")
				}
			}
		}
		_, err := c.Deliver(t.Context(), Device{ID: "a\r\nb" + strings.Repeat("c", 5000), Address: "http://10.0.0.1"}, u)
		require.NotContains(t, err.Error(), "\r")
		require.Less(t, len(err.Error()), 600)
	})
}

func TestNamesThatAHeaderWouldChange(t *testing.T) {
	a, err := ArtifactFromBytes([]byte("x"))
	require.NoError(t, err)
	for name, good := range map[string]bool{
		"2.0": true, "2.0 beta": true, "2.0-größer": true,
		" 2": false, "2 ": false, "\t2": false, "2\t0": false, "2\xff": false, "2\u0085": false,
	} {
		_, err := NewUpdate(name, a)
		require.Equal(t, good, err == nil, "%q", name)
		require.Equal(t, good, Device{ID: name, Address: "http://a"}.Validate() == nil, "%q", name)
	}
}
