package server

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReprDigest(t *testing.T) {
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	fieldA, fieldB := digestField([]byte("a")), digestField([]byte("b"))
	tests := []struct {
		field string
		want  *[32]byte // nil if there is none
		ok    bool
	}{
		// The vector of RFC 9530, appendix B.1: the digest of {"hello": "world"} and a line feed.
		{"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", ptr(sha256.Sum256([]byte("{\"hello\": \"world\"}\n"))),
			true},
		{"", nil, true},
		{fieldA, &a, true},
		{"  " + fieldA + "\t", &a, true},
		{"sha-512=:AAAA:, " + fieldA, &a, true},
		{fieldA + ",sha-512=:AAAA:", &a, true},
		{fieldA + ", " + fieldB, &b, true},
		{fieldA + ";q=1;x", &a, true},
		{fieldA + `;q="a, \"b"`, &a, true},
		{"md5=:AAAA:", nil, true},
		{"unixsum", nil, true},
		{"a=1, b=?1, c=tok, d=\"s\"", nil, true},
		{"sha-256", nil, false},
		{"sha-256=", nil, false},
		{"sha-256=1", nil, false},
		{"sha-256=:AAAA:", nil, false},
		{"sha-256=:" + fieldA[9:], &a, true},
		{fieldA[:len(fieldA)-1], nil, false},
		{fieldA + ",", nil, false},
		{fieldA + " " + fieldB, nil, false},
		{fieldA + "x", nil, false},
		{"SHA-256" + fieldA[7:], nil, false},
		{"sha-256=:!!!!" + fieldA[13:], nil, false},
		{",", nil, false},
		{"=1", nil, false},
		{fieldA + ";", nil, false},
		{fieldA + ";=1", nil, false},
		{fieldA + `;q="`, nil, false},
	}
	for _, test := range tests {
		got, found, ok := parseReprDigest([]byte(test.field))
		require.Equal(t, test.ok, ok, test.field)
		require.Equal(t, test.want != nil, found, test.field)
		if found {
			require.Equal(t, *test.want, got, test.field)
		}
	}
}

func digestField(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func ptr[T any](v T) *T { return &v }

func FuzzParseReprDigest(f *testing.F) {
	f.Add([]byte(digestField(nil)))
	f.Add([]byte(`sha-512=:AAAA:;a="b\"", sha-256=:`))
	f.Add([]byte("a=1;b=2;c,d"))
	f.Fuzz(func(t *testing.T, field []byte) {
		_, found, ok := parseReprDigest(field)
		require.True(t, ok || !found)
		// Further members change nothing about whether a list is well formed.
		if ok && len(trimSpace(field)) > 0 {
			digest, found, ok := parseReprDigest(append(append([]byte{}, field...), ", "+digestField([]byte("a"))...))
			require.True(t, found && ok)
			require.Equal(t, sha256.Sum256([]byte("a")), digest)
		}
	})
}
