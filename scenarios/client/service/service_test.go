package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func twoDevices(yield func(delivery.Device) bool) {
	_ = yield(delivery.Device{ID: "till-1", Address: "http://127.0.0.1:8080"}) &&
		yield(delivery.Device{ID: `a "b", c`, Address: "http://[::1]:81/d/7"})
}

func TestWriteDevices(t *testing.T) {
	for form, want := range map[string]string{
		JSON: `[{"id":"till-1","address":"http://127.0.0.1:8080"},` + "\n" +
			`{"id":"a \"b\", c","address":"http://[::1]:81/d/7"}]`,
		CSV:                                "id,address\ntill-1,http://127.0.0.1:8080\n\"a \"\"b\"\", c\",http://[::1]:81/d/7\n",
		"{{.Index}} {{.Host}} {{.Port}}":   "0 127.0.0.1 8080\n1 ::1 81\n",
		"{{.Address}}\n":                   "http://127.0.0.1:8080\nhttp://[::1]:81/d/7\n",
		"{{if eq .Index 0}}{{.ID}}{{end}}": "till-1\n\n",
	} {
		var got bytes.Buffer
		require.NoError(t, WriteDevices(&got, form, twoDevices), form)
		require.Equal(t, want, got.String(), form)
	}
	var none bytes.Buffer
	require.NoError(t, WriteDevices(&none, JSON, func(func(delivery.Device) bool) {}))
	require.Equal(t, "[]", none.String())
	for form, says := range map[string]string{
		"{{.Id}}":                "can't evaluate field Id",
		"{{":                     "unclosed action",
		`{{printf "%70000d" 1}}`: "the template makes a line of over 65536 bytes for till-1",
	} {
		require.ErrorContains(t, WriteDevices(io.Discard, form, twoDevices), says, form)
	}
}

func TestName(t *testing.T) {
	request := &Request{URL: "http://updates.example:9000/rollouts"}
	for want, cfg := range map[string]Config{
		"orchestrator":         {Start: []string{"/opt/orchestrator", "-listen", "127.0.0.1:9000"}, Request: request},
		"service.py":           {Start: []string{"python3", "lib/service.py", "--port", "9000"}},
		"rollout.sh":           {Command: []string{"./rollout.sh", "{devices}", "{artifact}"}},
		"sh":                   {Command: []string{"sh", "-c", "exec curl http://h/x.y; true"}},
		"updates.example-9000": {Request: request},
	} {
		require.Equal(t, want, Name(cfg))
	}
}

// TestConfig_runsHere checks that a command that only asks a service which runs elsewhere isn't taken
// for the service, whose processor time nobody knows.
func TestConfig_runsHere(t *testing.T) {
	script := []string{"./rollout.sh"}
	for name, row := range map[string]struct {
		cfg  Config
		want bool
	}{
		"a service is started":           {Config{Start: []string{"./service"}, Request: &Request{}, Done: "http://x"}, true},
		"a service is asked":             {Config{Request: &Request{}}, false},
		"a script does it":               {Config{Command: script, ByExit: true}, true},
		"a script does it, no end":       {Config{Command: script}, true},
		"a script asks a service":        {Config{Command: script, Done: "http://x"}, false},
		"a script, after another starts": {Config{Command: script, Ready: "http://x", ByExit: true}, false},
	} {
		require.Equal(t, row.want, row.cfg.RunsHere(), name)
	}
}

func TestReadAnswer(t *testing.T) {
	text, err := readAnswer(strings.NewReader("four"), 4)
	require.NoError(t, err)
	require.Equal(t, "four", string(text))
	_, err = readAnswer(strings.NewReader("fives"), 4)
	require.EqualError(t, err, "its answer has over 4 bytes")
}

func TestFailedOf(t *testing.T) {
	for body, want := range map[string]struct {
		n   int
		ids []string
	}{
		`{"failed": ["a", "b"]}`: {2, []string{"a", "b"}}, `{"failed": []}`: {0, []string{}}, `{"failed": 3}`: {3, nil},
		`{"failed": -1}`: {0, nil}, `{"failed": "many"}`: {0, nil}, `{}`: {0, nil}, `over`: {0, nil}, ``: {0, nil}, `[]`: {0, nil},
	} {
		n, ids := failedOf([]byte(body))
		require.Equal(t, want.n, n, body)
		require.Equal(t, want.ids, ids, body)
	}
}

// await waits until the service has said what is wanted.
func await(t *testing.T, r *Rollout, want func(Said) bool) Said {
	t.Helper()
	require.Eventually(t, func() bool { return want(r.Said()) }, patience, time.Millisecond)
	return r.Said()
}

// TestRequest checks what is sent to a service, and what is understood of its answers.
func TestRequest(t *testing.T) {
	var asked atomic.Int32
	var body, kind, token, about atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rollouts", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body.Store(string(text))
		kind.Store(r.Header.Get("Content-Type"))
		token.Store(r.Header.Get("X-Token"))
		w.Header().Set("Location", "/rollouts/x?of=7")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id": 17}`)
	})
	mux.HandleFunc("GET /rollouts/", func(w http.ResponseWriter, r *http.Request) {
		about.Store(r.URL.String() + " " + r.Header.Get("X-Token"))
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusAccepted)
		case 2:
			_, _ = io.WriteString(w, `{"state": "running"}`)
		default:
			_, _ = io.WriteString(w, `{"state": "over", "failed": ["till-1"]}`)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	header := http.Header{"X-Token": {"s3cret"}}
	values := Values{Devices: []byte(`["d"]`), Count: 1, Artifact: "/tmp/a", ArtifactURL: "http://127.0.0.1:1/artifact",
		Version: "2.0.0", Size: 5, SHA256: "ab", DevicesFile: "/tmp/d.json"}
	for name, row := range map[string]struct{ body, done, wantBody, wantKind, wantAbout string }{
		"the default": {"", "{location}", `{"artifact":{"path":"/tmp/a","sha256":"ab","size":5,"url":"http://127.0.0.1:1/artifact"},` +
			`"ca_file":"","devices":["d"],"version":"2.0.0"}`, "application/json", "/rollouts/x?of=7 s3cret"},
		"a text": {"{count} of {devices}, {version} {size} {sha256} {other}", server.URL + "/rollouts/{id}",
			`1 of ["d"], 2.0.0 5 ab {other}`, "text/plain; charset=utf-8", "/rollouts/17 s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			s, err := Start(t.Context(), Config{
				Request: &Request{Method: "POST", URL: server.URL + "/rollouts", Body: row.body, Header: header},
				Done:    row.done, DoneText: "over",
			})
			require.NoError(t, err)
			said := await(t, s.Trigger(t.Context(), values), func(said Said) bool { return said.Over })
			require.Equal(t, Said{Began: true, Over: true, Failed: 1, FailedIDs: []string{"till-1"}}, said)
			require.Equal(t, row.wantBody, body.Load())
			require.Equal(t, row.wantKind, kind.Load())
			require.Equal(t, "s3cret", token.Load())
			require.Equal(t, row.wantAbout, about.Load())
			require.False(t, s.Usage().Known, "nothing was started")
			require.NoError(t, s.Close())
		})
	}
}

func TestTriggerFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "no database for "+strings.TrimPrefix(r.Header.Get("X-Token"), "Bearer "))
	}))
	defer server.Close()
	refuses := httptest.NewServer(nil)
	refuses.Close()
	request := func(url string) *Request {
		return &Request{Method: "POST", URL: url, Header: http.Header{"X-Token": {"Bearer s3cret-token"}}}
	}
	for want, cfg := range map[string]Config{
		"trigger.request: POST " + server.URL + "/x: it answered 500: \"no database for ***\"": {Request: request(server.URL + "/x")},
		"connection refused": {Request: request(refuses.URL)},
		"trigger.command: sh ended (exit status 3); its last line: no route": {Command: []string{"sh", "-c", "echo no route >&2; exit 3"}},
		"done: the answer to the trigger's request has no Location": {
			Request: request(okServer(t)), Done: "{location}"},
		"done: the answer to the trigger's request is no JSON object with an id": {
			Request: request(okServer(t)), Done: "http://127.0.0.1/{id}"},
	} {
		s, err := Start(t.Context(), cfg)
		require.NoError(t, err)
		said := await(t, s.Trigger(t.Context(), Values{Devices: []byte("[]")}), func(said Said) bool { return said.Err != nil })
		require.ErrorContains(t, said.Err, want)
		require.NoError(t, s.Close())
	}
}

// okServer returns the URL of a server that answers 200.
func okServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestCommand checks the words of a trigger's command, and how its exit ends the rollout.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]struct {
		script string
		want   Said
	}{
		"it succeeds": {`echo "$@" > words`, Said{Began: true, Over: true}},
		"it fails":    {`echo "$@" > words; echo two are left >&2; exit 2`, Said{Began: true, Over: true, Gave: "sh ended (exit status 2); its last line: two are left"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(t.Context(), Config{
				Command:   []string{"sh", "-c", row.script, "sh", "{devices}", "{artifact}", "{version}", "{unknown}"},
				Directory: dir, ByExit: true,
			})
			require.NoError(t, err)
			said := await(t, s.Trigger(t.Context(), Values{DevicesFile: "d.json", Artifact: "a", Version: "2.0.0"}),
				func(said Said) bool { return said.Over })
			require.Equal(t, row.want, said)
			words, err := os.ReadFile(filepath.Join(dir, "words"))
			require.NoError(t, err)
			require.Equal(t, "d.json a 2.0.0 {unknown}\n", string(words))
			require.NoError(t, s.Close())
		})
	}
}

// TestAnotherHostIsToldNoSecret checks that a redirect to another host isn't followed, and that a host
// which only the answer names is asked without the header fields.
func TestAnotherHostIsToldNoSecret(t *testing.T) {
	var told, asked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		told.Store(told.Load() || r.Header.Get("X-Token") != "")
	}))
	defer other.Close()
	located := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", other.URL)
	}))
	defer located.Close()
	s, err := Start(t.Context(), Config{
		Request: &Request{Method: "POST", URL: located.URL, Header: http.Header{"X-Token": {"s3cret"}}}, Done: "{location}",
	})
	require.NoError(t, err)
	await(t, s.Trigger(t.Context(), Values{}), func(said Said) bool { return said.Over })
	require.NoError(t, s.Close())
	require.True(t, asked.Load())
	require.False(t, told.Load())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	s, err = Start(t.Context(), Config{
		Request: &Request{Method: "POST", URL: server.URL, Header: http.Header{"X-Token": {"s3cret"}}},
	})
	require.NoError(t, err)
	said := await(t, s.Trigger(t.Context(), Values{}), func(said Said) bool { return said.Err != nil })
	require.ErrorContains(t, said.Err, "307")
	require.False(t, told.Load())
	require.NoError(t, s.Close())
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600))
	closed := httptest.NewServer(nil)
	closed.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer other.Close()
	const short = 100 * time.Millisecond
	for want, cfg := range map[string]Config{
		"ready: " + other.URL + " answers before start has begun: end what runs there, or leave start out": {
			Start: []string{"sleep", "60"}, Ready: other.URL},
		"start: no-such-program is not installed": {Start: []string{"no-such-program"}},
		"start: ./nothing does not exist":         {Start: []string{"./nothing"}},
		"start: ./plain is not executable":        {Start: []string{"./plain"}},
		"trigger.command: ./plain is not exec":    {Command: []string{"./plain"}},
		"start: sh ended before it was ready (exit status 1); its last line: in use": {
			Start: []string{"sh", "-c", "echo in use; exit 1"}, Ready: closed.URL},
		"ready: sleep was not ready within 100ms: " + closed.URL + ": dial tcp": {
			Start: []string{"sleep", "60"}, Ready: closed.URL, ReadyTimeout: short},
		"ready: service was not ready within 100ms: " + busy.URL + ": it answered 503": {
			Ready: busy.URL, ReadyTimeout: short},
	} {
		cfg.Directory = dir
		_, err := Start(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := Start(t.Context(), Config{Start: []string{"true"}, Directory: filepath.Join(dir, "nowhere")})
	require.ErrorContains(t, err, "nowhere is no directory")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(ctx, Config{Start: []string{"sleep", "60"}, Ready: closed.URL})
	require.ErrorIs(t, err, context.Canceled)
}

// TestCloseEndsTheWholeTree starts a service that ignores the interrupt, and whose child has left its
// process group.
func TestCloseEndsTheWholeTree(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid")
	}
	fifo := filepath.Join(t.TempDir(), "pids")
	s, err := Start(t.Context(), Config{
		Start:        []string{"sh", "-c", `trap "" INT; setsid sleep 3600 & echo "$! $$" > "$0.new"; mv "$0.new" "$0"; wait`, fifo},
		CloseTimeout: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := os.Stat(fifo); return err == nil }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return len(s.Usage().Processes) == 2 }, patience, time.Millisecond)
	u := s.Usage()
	require.True(t, u.Known)
	require.Positive(t, u.PeakResident)
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(u.Processes, isRunning)
	}, patience, time.Millisecond)
	require.True(t, s.Usage().Known)
	require.NotNil(t, s.Ended())
	<-s.Ended()
	require.Contains(t, s.End(), "sh ended (signal: killed)")
}

// isRunning reports whether a process exists and isn't a zombie.
func isRunning(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestArtifactServer(t *testing.T) {
	artifact, err := delivery.NewArtifact(t.Context(), strings.NewReader("new firmware"), 12)
	require.NoError(t, err)
	s, err := ServeArtifact(artifact)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	request.Header.Set("Range", "bytes=4-")
	response, err := client.Do(request)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	require.Equal(t, http.StatusPartialContent, response.StatusCode)
	require.Equal(t, "firmware", string(text))
	require.NoError(t, s.Close())
}
