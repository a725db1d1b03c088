package delivery

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	for address, want := range map[string]target{
		"http://127.1.0.0:8080":          {false, "127.1.0.0:8080", ""},
		"http://127.1.0.0:8080/":         {false, "127.1.0.0:8080", ""},
		"http://127.0.0.1:8080/d/17":     {false, "127.0.0.1:8080", "/d/17"},
		"http://127.0.0.1:8080/d/17//":   {false, "127.0.0.1:8080", "/d/17"},
		"https://till-17.example":        {true, "till-17.example", ""},
		"https://[::1]":                  {true, "[::1]", ""},
		"https://[2001:db8::1]:8443/a/b": {true, "[2001:db8::1]:8443", "/a/b"},
	} {
		got, err := parseTarget(address)
		require.NoError(t, err, address)
		require.Equal(t, want, got, address)
	}
	for _, address := range []string{
		"", "till-17", "//till-17", "ftp://a", "HTTP://a", "http://", "http:///d/1", "http://a:", "http://a:0", "http://a:65536",
		"http://a:http", "http://a b", "http://a\r\n", "http://a/\x00", "http://a/%0d%0a", "http://user@a", "http://a?b", "http://a#b",
		"http://[::1", "http://[::1]x", "http://[zz]", "http://a:1:2", "http://é", "http://a/" + strings.Repeat("x", maxAddress),
	} {
		_, err := parseTarget(address)
		require.Error(t, err, "%q", address)
		require.Less(t, len(err.Error()), 400, "the error doesn't repeat what is endless")
	}
}

func TestDialAddress(t *testing.T) {
	for address, want := range map[string][2]string{
		"http://a":           {"a:80", "a"},
		"https://a":          {"a:443", "a"},
		"https://a:8443":     {"a:8443", "a"},
		"https://[::1]":      {"[::1]:443", "::1"},
		"https://[::1]:8443": {"[::1]:8443", "::1"},
	} {
		to, err := parseTarget(address)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{to.dialAddress(), to.serverName()}, address)
	}
}

// FuzzParseTarget: what is taken, net/url takes too, and understands alike; and
// nothing in it could end a header line.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"http://127.1.0.0:8080/d/17", "https://[::1]:8443", "http://a", "http://a\r\nX: y", "http://u:p@a/?q#f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		to, err := parseTarget(address)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatalf("%q: net/url: %v", address, err)
		}
		if u.Host != to.host || (u.Scheme == "https") != to.secure ||
			strings.TrimRight(u.Path, "/") != to.prefix {
			t.Fatalf("%q: %+v, net/url %+v", address, to, u)
		}
		if !isFieldValue(to.host) || !isFieldValue(to.prefix) {
			t.Fatalf("%q: control character", address)
		}
		to.dialAddress()
		to.serverName()
	})
}
