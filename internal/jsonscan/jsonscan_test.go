package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// read reads an object as a caller would, into the types that encoding/json uses for any.
func read(s Scanner) (map[string]any, bool) {
	members := map[string]any{}
	ok := s.Object(func(name []byte) bool { return s.value(members, string(name)) })
	return members, ok && s.End()
}

func (s *Scanner) value(into map[string]any, name string) bool {
	if text, ok := s.String(); ok {
		into[name] = string(text)
		return true
	}
	if n, ok := s.Number(); ok {
		into[name] = float64(n)
		return true
	}
	if b, ok := s.Bool(); ok {
		into[name] = b
		return true
	}
	if s.Null() {
		into[name] = nil
		return true
	}
	inner := map[string]any{}
	into[name] = inner
	return s.Object(func(name []byte) bool { return s.value(inner, string(name)) })
}

// A Scanner accepts the usual texts and rejects the unusual ones.
var (
	usual = []string{
		`{}`, ` { } `, `{"a":"b"}`, `{"a":"","b":0,"c":true,"d":false,"e":null}`,
		"\t{ \"a\" :\r\n 1 , \"b\" : { \"c\" : { } } }\n",
		`{"a":999999999999999999}`, `{"a":"b","a":"c"}`, `{"":""}`, `{"a":"<&>"}`, "{\"a\":\"\x7f\"}", `{"a/b":"12345678"}`,
	}
	unusual = []string{
		``, ` `, `{`, `}`, `{}x`, `{}{}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `{"a":tru}`,
		`{"a":truex}`, `{"a":nulll}`,
		`{"a":01}`, `{"a":-1}`, `{"a":1.0}`, `{"a":1e3}`, `{"a":1000000000000000000}`, `{"a":+1}`, `{"a":"b`, `{"a":"b}`,
		`{"":"0}`, `{"a":"\""}`,
		`{"a":"\u0061"}`, "{\"a\":\"\n\"}", "{\"a\":\"1234567\x1f\"}", "{\"a\":\"12345678\xff\"}", `{"a":[]}`, `[]`, `null`,
		`1`, `"a"`,
		"\ufeff{}", "\v{}", "{\"a\":1\u00a0}",
	}
)

func TestScanner(t *testing.T) {
	for _, text := range usual {
		_, ok := read(New([]byte(text)))
		require.True(t, ok, "%q", text)
	}
	for _, text := range unusual {
		_, ok := read(New([]byte(text)))
		require.False(t, ok, "%q", text)
	}
	_, ok := read(New([]byte(`{"a":"é"}`)))
	require.False(t, ok)
	members, ok := read(NewUTF8([]byte(`{"é":"日本語 and more"}`)))
	require.True(t, ok)
	require.Equal(t, map[string]any{"é": "日本語 and more"}, members)
}

func TestEqual(t *testing.T) {
	for _, row := range []struct {
		in, text string
		want     bool
		rest     string
	}{
		{`"ab",`, "ab", true, `,`}, {` "" `, "", true, ` `}, {`"abc"`, "ab", false, `"abc"`}, {`"a"`, "ab", false, `"a"`},
		{`ab`, "ab", false, `ab`}, {``, "", false, ``}, {`"ab`, "ab", false, `"ab`}, {`"AB"`, "ab", false, `"AB"`},
	} {
		s := New([]byte(row.in))
		require.Equal(t, row.want, s.Equal(row.text), row.in)
		require.Equal(t, row.rest, string(s.rest))
	}
}

func TestSkip(t *testing.T) {
	for _, text := range []string{`"a"`, `1`, ` true`, `false`, `null`} {
		s := New([]byte(text + ","))
		require.True(t, s.Skip(), text)
		require.Equal(t, ",", string(s.rest))
	}
	for _, text := range []string{`"`, `-1`, `{}`, `[]`, ``, `x`} {
		s := New([]byte(text))
		require.False(t, s.Skip(), text)
	}
}

func TestFoldsTo(t *testing.T) {
	for name, want := range map[string]bool{
		"State": true, "STATE": true, "ſtate": true, "statu": false, "states": false, "": false, "x": false, "é": true,
		"[tate": false,
	} {
		require.Equal(t, want, FoldsTo([]byte(name), "version", "state"), name)
	}
}

// TestFoldsToAsEncodingJSON checks that every name that encoding/json matches to another is
// reported.
func TestFoldsToAsEncodingJSON(t *testing.T) {
	for at := range len("desk") {
		for c := range rune(0x250) {
			name := "desk"[:at] + string(c) + "desk"[at+1:]
			text, err := json.Marshal(map[string]int{name: 1})
			require.NoError(t, err)
			var v struct {
				Desk int `json:"desk"`
			}
			require.NoError(t, json.Unmarshal(text, &v))
			if v.Desk == 1 && name != "desk" {
				require.True(t, FoldsTo([]byte(name), "desk"), "%q", name)
			}
		}
	}
}

// TestIsPlain checks that looking at eight bytes at once has the same result as looking at each
// byte, whatever its position.
func TestIsPlain(t *testing.T) {
	for length := 1; length <= 17; length++ {
		for at := range length {
			for c := range 256 {
				s := bytes.Repeat([]byte("a"), length)
				s[at] = byte(c)
				want := c >= ' ' && c != '\\'
				require.Equal(t, want && c < 0x80, isPlain(s, false), "%q", s)
				require.Equal(t, want, isPlain(s, true), "%q", s)
			}
		}
	}
	require.True(t, isPlain(nil, false))
}

func TestNothingIsAllocated(t *testing.T) {
	text := []byte(`{"id":"device-7","n":12,"ok":true,"none":null,"labels":{"a":"b"}}`)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s, labels := New(text), 0
		s.Object(func(name []byte) bool {
			if string(name) == "labels" {
				return s.Object(func([]byte) bool { labels++; return s.Skip() })
			}
			return s.Skip()
		})
		if !s.End() || labels != 1 {
			panic("not read")
		}
	}))
}

// FuzzScanner checks that a text which is accepted means the same to encoding/json.
func FuzzScanner(f *testing.F) {
	for _, text := range append(usual, unusual...) {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"é":"日本語"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		scanners := []Scanner{New(text)}
		if utf8.Valid(text) {
			scanners = append(scanners, NewUTF8(text))
		}
		for _, s := range scanners {
			got, ok := read(s)
			if !ok {
				continue
			}
			var want map[string]any
			require.NoError(t, json.Unmarshal(text, &want), "%q", text)
			require.Equal(t, want, got, "%q", text)
		}
	})
}
