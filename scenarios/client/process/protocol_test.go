package process

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// definition compiles a definition of the schema.
func definition(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("process.schema.json", document))
	s, err := c.Compile("process.schema.json#/$defs/" + name)
	require.NoError(t, err)
	return s
}

// fits reports whether a line is valid by a definition of the schema.
func fits(t testing.TB, s *jsonschema.Schema, line []byte) bool {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	return err == nil && s.Validate(value) == nil
}

// TestSchema_ofAnswers checks that the schema and the code agree on what is an answer, and what is a
// hello.
func TestSchema_ofAnswers(t *testing.T) {
	s := definition(t, "answer")
	for line, want := range map[string]bool{
		`{"id":1,"ok":true}`:           true,
		` { "id" : 1 , "ok" : true } `: true,
		`{"ok":true,"id":123456789}`:   true,
		`{"id":1,"ok":true,"push_ns":5,"verify_ns":0,"pushes":2,"verifies":1,"bytes_sent":9,"bytes_received":9}`: true,
		`{"id":1,"ok":true,"more":[1]}`:               true,
		`{"id":1,"ok":false,"error":{}}`:              true,
		`{"id":1,"error":{"class":"timeout"}}`:        true,
		`{"id":1,"error":{"message":"\u00e9\n"}}`:     true,
		`{"id":1,"error":{"status":503}}`:             true,
		`{"id":1}`:                                    false,
		`{"ok":true}`:                                 false,
		`{"id":1,"ok":false}`:                         false,
		`{"id":1,"ok":true,"error":{}}`:               false,
		`{"id":1,"ok":"yes"}`:                         false,
		`{"id":"1","ok":true}`:                        false,
		`{"id":1.5,"ok":true}`:                        false,
		`{"id":1,"ok":true,"pushes":-1}`:              false,
		`{"id":1,"ok":true,"pushes":1000001}`:         false,
		`{"id":1,"ok":true,"push_ns":86400000000001}`: false,
		`{"id":1,"error":{"class":"Not A Word"}}`:     false,
		`{"id":1,"error":{"status":99}}`:              false,
		`{"id":1,"error":"timeout"}`:                  false,
		`[]`:                                          false,
		`pushing`:                                     false,
		``:                                            false,
		`{"id":1,"ok":true`:                           false,
		`{"id":1,"ok":true}}`:                         false,
	} {
		_, err := parseAnswer([]byte(line))
		require.Equal(t, want, err == nil, "%s: %v", line, err)
		require.Equal(t, want, fits(t, s, []byte(line)), line)
	}
	s = definition(t, "hello")
	for line, want := range map[string]bool{
		`{"protocol":1}`: true,
		`{"protocol":1,"version":"2.0","name":"x"}`:              true,
		`{"protocol":1,"operations":["push","verify"]}`:          true,
		`{"protocol":1,"operations":["deliver"]}`:                true,
		`{"protocol":1,"operations":["push"]}`:                   false,
		`{"protocol":1,"operations":["push","push"]}`:            false,
		`{"protocol":1,"operations":["push","verify","reboot"]}`: false,
		`{"protocol":2}`: false,
		`{}`:             false,
		`{"protocol":1,"version":"` + strings.Repeat("x", 129) + `"}`: false,
	} {
		_, err := parseHello([]byte(line))
		require.Equal(t, want, err == nil, "%s: %v", line, err)
		require.Equal(t, want, fits(t, s, []byte(line)), line)
	}
}

// TestSchema_ofRequests checks the lines that a process reads, and that they say what they should.
func TestSchema_ofRequests(t *testing.T) {
	u, cfg := update(t, "")
	cfg = cfg.withDefaults()
	cfg.CAFile, cfg.DialTimeout, cfg.MaxIdle, cfg.GoodReads = "/tmp/ca.pem", time.Millisecond, 5, 2
	first, err := cfg.helloLine(1)
	require.NoError(t, err)
	require.True(t, fits(t, definition(t, "driver-hello"), first), "%s", first)
	require.JSONEq(t, `{"protocol":1,"process":1,"processes":1,"concurrency":1,"workers":4,"ca_file":"/tmp/ca.pem",
		"headers":{"X-Token":["s3cret","s3"]},"dial_timeout_ms":1,"total_timeout_ms":1000,"max_attempts":3,"good_reads":2,"max_idle":5,"seed":1}`,
		string(first))

	p := &Pool{cfg: cfg}
	text, err := p.updateText(u)
	require.NoError(t, err)
	for _, d := range []delivery.Device{{Address: "http://127.1.0.0:8080"}, {ID: "dev \"é\"\\", Address: "http://[::1]/d/1"}} {
		for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver} {
			line := appendRequest(nil, 7, op, d, text, 1500*time.Millisecond)
			require.Equal(t, 1, bytes.Count(line, []byte("\n")))
			require.True(t, fits(t, definition(t, "request"), line), "%s", line)
			var got struct {
				ID        int64
				Operation delivery.Op
				Device    delivery.Device
				Version   string
				Artifact  struct {
					Path, SHA256 string
					Size         int64
				}
				DeadlineMS int64 `json:"deadline_ms"`
			}
			require.NoError(t, json.Unmarshal(line, &got))
			require.EqualValues(t, 7, got.ID)
			require.Equal(t, []any{op, d, `2.0 "beta"`, int64(1500)}, []any{got.Operation, got.Device, got.Version, got.DeadlineMS})
			require.Equal(t, "/tmp/firmware.bin", got.Artifact.Path)
			require.EqualValues(t, 8, got.Artifact.Size)
			// sha256sum of "firmware"
			require.Equal(t, "c3bf47ea", got.Artifact.SHA256[:8])
		}
	}
}

// TestNoop_speaksTheProtocol checks the lines of the client that does nothing, for requests that
// come one by one and together.
func TestNoop_speaksTheProtocol(t *testing.T) {
	u, cfg := update(t, "")
	p := &Pool{cfg: cfg.withDefaults()}
	text, err := p.updateText(u)
	require.NoError(t, err)
	in, err := p.cfg.helloLine(0)
	require.NoError(t, err)
	for id := range int64(3) {
		in = appendRequest(in, id+1, delivery.OpPush, at("http://device"), text, time.Second)
	}
	for _, reader := range []io.Reader{bytes.NewReader(in), &oneByOne{in}} {
		var out bytes.Buffer
		require.NoError(t, ServeNoop(reader, &out))
		lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
		require.Len(t, lines, 5)
		require.True(t, fits(t, definition(t, "hello"), lines[0]))
		for id := range int64(3) {
			a, err := parseAnswer(lines[id+1])
			require.NoError(t, err)
			require.Equal(t, id+1, a.id)
			require.True(t, fits(t, definition(t, "answer"), lines[id+1]))
		}
	}
	require.ErrorContains(t, ServeNoop(strings.NewReader("hello\nwhat\n"), io.Discard), "it is for fleetmark")
}

// oneByOne reads a byte at a time.
type oneByOne struct{ rest []byte }

func (r *oneByOne) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestParseAnswer_allocatesNothing(t *testing.T) {
	line := []byte(`{"id":12,"ok":true,"push_ns":4300000,"verify_ns":700,"pushes":1,"verifies":1}` + "\n")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if a, err := parseAnswer(line); err != nil || a.id != 12 || a.pushNS.n != 4300000 {
			t.Error(a, err)
		}
	}))
}

// FuzzParseAnswer checks that the fast parser agrees with the general one, and that what a process
// writes is either refused with a reason in one line, or within bounds.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"id":1,"ok":true,"pushes":2}`))
	f.Add([]byte(`{"id":1,"ID":2,"ok":true}`))
	f.Add([]byte(`{"id":1,"ok":true,"ok":false,"error":{}}`))
	f.Add([]byte(`{"id":1,"error":{"class":"quota","message":"no\nspace","status":507},"push_ns":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if fast, ok := scanAnswer(line); ok {
			slow, err := decodeAnswer(line)
			require.NoError(t, err)
			require.Equal(t, slow, fast)
		}
		a, err := parseAnswer(line)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for _, n := range []optional{a.pushes, a.verifies, a.pushNS, a.verifyNS, a.bytesSent, a.bytesReceived} {
			require.GreaterOrEqual(t, n.n, int64(0))
		}
		require.LessOrEqual(t, max(a.pushes.n, a.verifies.n), int64(1e6))
		if e := a.failed; e != nil {
			require.Regexp(t, "^[a-z0-9-]{1,64}$", e.Class())
			require.True(t, e.status == 0 || e.status >= 100 && e.status <= 599)
		}
	})
}

// FuzzParseHello checks that the first line of a process is either refused with a reason in one
// line, or fit for run.json.
func FuzzParseHello(f *testing.F) {
	f.Add([]byte(`{"protocol":1,"version":"2","operations":["push","verify"]}`))
	f.Add([]byte(`{"protocol":1,"operations":["push","push"]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := parseHello(line)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Equal(t, 1, h.Protocol)
		require.LessOrEqual(t, len(h.Version), 128)
		pushes := slices.Contains(h.Operations, "push") && slices.Contains(h.Operations, "verify")
		require.True(t, h.delivers() || pushes, "%s", line)
	})
}
