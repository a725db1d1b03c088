package app

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// base64Text finds what may be base64, in either alphabet, as in HdrHistogram's log.
var base64Text = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}={0,2}`)

// maxDepth is how many nested encodings are unpacked.
const maxDepth = 4

// tells reports whether data contains one of the secrets: plain, in hexadecimal, escaped as in a
// URL, or in gzip, zlib or base64, also nested.
func tells(data []byte, secrets []string, depth int) bool {
	lower := bytes.ToLower(data)
	for _, secret := range secrets {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), url.QueryEscape(secret),
			url.PathEscape(secret)} {
			if bytes.Contains(lower, bytes.ToLower([]byte(form))) {
				return true
			}
		}
	}
	if depth == maxDepth {
		return false
	}
	if unpacked := unpack(data); unpacked != nil {
		return tells(unpacked, secrets, depth+1)
	}
	for _, text := range base64Text.FindAll(data, -1) {
		text = bytes.TrimRight(text, "=")
		// The text may begin within a group of four characters, so all four offsets are tried.
		for skip := range 4 {
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				part := text[min(skip, len(text)):]
				part = part[:len(part)/4*4]
				decoded := make([]byte, encoding.DecodedLen(len(part)))
				n, err := encoding.Decode(decoded, part)
				if err != nil || n == 0 {
					continue
				}
				decoded = decoded[:n]
				for _, secret := range secrets {
					if bytes.Contains(decoded, []byte(secret)) {
						return true
					}
				}
				if unpacked := inner(decoded); unpacked != nil && tells(unpacked, secrets, depth+1) {
					return true
				}
			}
		}
	}
	return false
}

// unpack returns what gzip or zlib data unpacks to, as far as it can be read. It returns nil if
// data is neither.
func unpack(data []byte) []byte {
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(bytes.NewReader(data))
	case len(data) > 2 && data[0] == 0x78 && (int(data[0])<<8|int(data[1]))%31 == 0:
		r, err = zlib.NewReader(bytes.NewReader(data))
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	_, _ = io.Copy(&out, r) // the part before the damage is searched all the same
	return out.Bytes()
}

// inner unpacks data that is packed from its beginning or after a header of 8 bytes, as a
// compressed histogram is.
func inner(data []byte) []byte {
	if unpacked := unpack(data); unpacked != nil {
		return unpacked
	}
	if len(data) > 8 {
		return unpack(data[8:])
	}
	return nil
}

// TestTellsFindsSecrets checks the scan itself: one that finds nothing would prove nothing.
func TestTellsFindsSecrets(t *testing.T) {
	const secret = "s3cr3t value/of+42"
	zipped := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	deflated := func(data []byte) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, err := w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	plain := []byte("{\"header\": \"Bearer " + secret + "\"}")
	encoded := func(data []byte) []byte {
		return []byte("a line: " + base64.StdEncoding.EncodeToString(data) + "\n")
	}
	for name, data := range map[string][]byte{
		"plain": plain, "gzip": zipped(plain), "zlib": deflated(plain), "base64": encoded(plain),
		"base64 that is cut": encoded(plain)[3:],
		"base64 for URLs":    []byte(base64.RawURLEncoding.EncodeToString(plain)),
		"hexadecimal":        []byte(hex.EncodeToString(plain)),
		"a URL":              []byte("http://u:" + url.QueryEscape(secret) + "@host/"),
		"a path":             []byte(url.PathEscape(secret)),
		"gzip in base64":     encoded(zipped(plain)), "zlib in base64": encoded(deflated(plain)),
		"a compressed histogram": encoded(append([]byte("12345678"), deflated(plain)...)),
		"base64 in gzip":         zipped(encoded(plain)),
	} {
		require.True(t, tells(data, []string{secret}, 0), name)
	}
	require.False(t, tells([]byte("nothing of it, "+secret[:10]), []string{secret}, 0))
}

// requireNoSecret searches every file below dir for the secrets, and returns how many files there
// are.
func requireNoSecret(t *testing.T, dir string, secrets []string) (files int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if tells(append(data, path...), secrets, 0) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	}))
	return files
}
