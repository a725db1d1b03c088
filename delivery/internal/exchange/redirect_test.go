package exchange

import (
	"strings"
	"testing"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/stretchr/testify/require"
)

// TestRedirectBetweenSchemes checks that a missing port is the scheme's, and that a request over
// TLS isn't repeated without it.
func TestRedirectBetweenSchemes(t *testing.T) {
	secure := endpoint.Target{TLS: true, Host: "till"}
	for location, want := range map[string]string{"https://till:443/here": "/here", "https://till": "/", "here": "/here"} {
		path, err := ResolveRedirect(secure, "/update", location)
		require.NoError(t, err)
		require.Equal(t, want, path)
	}
	_, err := ResolveRedirect(secure, "/update", "http://till:443/update")
	require.ErrorIs(t, err, ErrOtherOrigin)
}

func TestSameHost(t *testing.T) {
	for _, row := range []struct {
		secure     bool
		host, then string
		want       bool
	}{
		{false, "till", "till", true}, {false, "till", "TILL:80", true}, {false, "till:80", "till", true},
		{true, "till", "till:443", true},
		{true, "till", "till:80", false}, {false, "till", "till.example", false},
		{false, "[::1]", "[::1]:80", true}, {false, "till", "till:", false},
	} {
		require.Equal(t, row.want, sameHost(endpoint.Target{TLS: row.secure, Host: row.host}, row.then), "%+v", row)
	}
}

// FuzzResolveRedirect checks that the result is always a path of the same origin that can't end the
// request line.
func FuzzResolveRedirect(f *testing.F) {
	for _, s := range []string{
		"/here", "http://till/x", "//till:80/a?b#c", "..", "?q", "http://evil/", "/a%0d%0a", "/\r\nX: y", "https://till/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		path, err := ResolveRedirect(endpoint.Target{Host: "till", PathPrefix: "/d/7"}, "/update", location)
		if err == nil && (path == "" || path[0] != '/' || strings.ContainsAny(path, " \r\n\x00#")) {
			t.Fatalf("%q leads to %q", location, path)
		}
	})
}
