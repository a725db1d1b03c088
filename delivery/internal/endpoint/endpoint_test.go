package endpoint

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

func TestParse(t *testing.T) {
	for address, want := range map[string]Target{
		"http://127.1.0.0:8080":          {false, "127.1.0.0:8080", ""},
		"http://127.1.0.0:8080/":         {false, "127.1.0.0:8080", ""},
		"http://127.0.0.1:8080/d/17":     {false, "127.0.0.1:8080", "/d/17"},
		"http://127.0.0.1:8080/d/17//":   {false, "127.0.0.1:8080", "/d/17"},
		"https://till-17.example":        {true, "till-17.example", ""},
		"https://[::1]":                  {true, "[::1]", ""},
		"https://[2001:db8::1]:8443/a/b": {true, "[2001:db8::1]:8443", "/a/b"},
	} {
		got, err := Parse(address)
		require.NoError(t, err, address)
		require.Equal(t, want, got, address)
	}
	for _, address := range []string{
		"", "till-17", "//till-17", "ftp://a", "HTTP://a", "http://", "http:///d/1", "http://a:", "http://a:0",
		"http://a:65536",
		"http://a:http", "http://a b", "http://a\r\n", "http://a/\x00", "http://a/%0d%0a", "http://user@a", "http://a?b",
		"http://a#b",
		"http://[::1", "http://[::1]x", "http://[zz]", "http://a:1:2", "http://é",
		"http://a/" + strings.Repeat("x", MaxAddress),
	} {
		_, err := Parse(address)
		require.Error(t, err, "%q", address)
		require.Less(t, len(err.Error()), 400, "the error doesn't repeat what is endless")
	}
}

func TestDialAddr(t *testing.T) {
	for address, want := range map[string][2]string{
		"http://a":           {"a:80", "a"},
		"https://a":          {"a:443", "a"},
		"https://a:8443":     {"a:8443", "a"},
		"https://[::1]":      {"[::1]:443", "::1"},
		"https://[::1]:8443": {"[::1]:8443", "::1"},
	} {
		to, err := Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{to.DialAddr(), to.ServerName()}, address)
	}
}

// FuzzParse checks that net/url accepts every address that Parse accepts and reads it alike, and
// that no part of it can end a header line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://127.1.0.0:8080/d/17", "https://[::1]:8443", "http://a", "http://a\r\nX: y",
		"http://u:p@a/?q#f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		to, err := Parse(address)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatalf("%q: net/url: %v", address, err)
		}
		if u.Host != to.Host || (u.Scheme == "https") != to.TLS ||
			strings.TrimRight(u.Path, "/") != to.PathPrefix {
			t.Fatalf("%q: %+v, net/url %+v", address, to, u)
		}
		if !check.IsHeaderValue(to.Host) || !check.IsHeaderValue(to.PathPrefix) {
			t.Fatalf("%q: control character", address)
		}
		to.DialAddr()
		to.ServerName()
	})
}

// The SHA-256 of "itill-17" as sha256sum prints it: the first 16 bytes, and the last 8 as a share
// of 2^64.
const (
	tillKey   = "299cec1141bb353875f4c54d8a723135"
	tillPlace = 0.1879038999138294
)

// TestFingerprint checks the fingerprint that journals and waves depend on.
func TestFingerprint(t *testing.T) {
	key, place := Fingerprint("till-17", "http://a")
	require.Equal(t, tillKey, fmt.Sprintf("%x", key))
	require.InDelta(t, tillPlace, place, 1e-12)
	same, _ := Fingerprint("till-17", "http://b")
	require.Equal(t, key, same)
	byAddress, _ := Fingerprint("", "till-17")
	require.NotEqual(t, key, byAddress)
}
