package exporter

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
)

func TestSplitAddress(t *testing.T) {
	for address, want := range map[string]string{
		":9464": "127.0.0.1:9464", "127.0.0.1:0": "127.0.0.1:0", "[::1]:9464": "[::1]:9464",
		"0.0.0.0:9464": "0.0.0.0:9464", "bench:9464": "bench:9464",
	} {
		host, port, err := SplitAddress(address)
		require.NoError(t, err)
		require.Equal(t, want, net.JoinHostPort(host, port))
	}
	for _, address := range []string{
		"", "9464", ":", "127.0.0.1", "127.0.0.1:", ":http", ":65536", ":-1", ":+1", ":09464", "::1:9464", "http://x:1",
	} {
		_, _, err := SplitAddress(address)
		require.EqualError(t, err, "want HOST:PORT such as 127.0.0.1:9464, or :9464 for the loopback interface", address)
	}
}

// serve starts a server of an exporter, which the test's end closes.
func serve(t *testing.T, e *Exporter, address string) *Server {
	t.Helper()
	s, err := e.Listen(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// get returns the answer to a request, whose connection doesn't stay open.
func get(t *testing.T, method, url, accept, host string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	r.Host = host
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.True(t, answer.Close, "the server closes each connection")
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, body
}

func TestServer(t *testing.T) {
	s := serve(t, New(), ":0")
	require.True(t, s.Loopback())
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/metrics$`, s.URL())
	for _, row := range []struct {
		method, url, host string
		want              int
	}{
		{"GET", s.URL(), "", 200},
		{"HEAD", s.URL(), "", 200},
		{"POST", s.URL(), "", 405},
		{"PUT", s.URL(), "", 405},
		{"DELETE", s.URL(), "", 405},
		{"GET", s.URL() + "/x", "", 404},
		{"GET", s.URL()[:len(s.URL())-len(Path)] + "/", "", 404},
		{"GET", s.URL(), "localhost:1", 200},
		{"GET", s.URL(), "[::1]", 200},
		{"GET", s.URL(), "evil.example", 403},
		{"GET", s.URL(), "evil.example:9464", 403},
		{"GET", s.URL(), "192.0.2.1:9464", 403},
		{"GET", s.URL(), "localhost.evil.example", 403},
	} {
		answer, _ := get(t, row.method, row.url, "", row.host)
		require.Equal(t, row.want, answer.StatusCode, "%+v", row)
	}
}

// TestServer_otherMachines checks that a server for other machines is known as such, and answers to
// addresses and to its own names alone.
func TestServer_otherMachines(t *testing.T) {
	s := serve(t, New(), "0.0.0.0:0")
	require.False(t, s.Loopback())
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/metrics$`, s.URL())
	own, err := os.Hostname()
	require.NoError(t, err)
	for host, want := range map[string]bool{
		"192.0.2.1:9464": true, "[2001:db8::1]:9464": true, "127.0.0.1": true, own + ":9464": true,
		"evil.example:9464": false, "": false,
	} {
		require.Equal(t, want, s.answers(host), host)
	}
	s.host = "bench.example"
	require.True(t, s.answers("Bench.example:9464"))
}

func TestListen_fails(t *testing.T) {
	s := serve(t, New(), "127.0.0.1:0")
	_, err := New().Listen(t.Context(), s.listener.Addr().String())
	require.ErrorContains(t, err, "address already in use; want an address of this machine, with a port that is free")
	require.NotContains(t, err.Error(), "\n")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = New().Listen(ended, "nosuch.invalid:1")
	require.Error(t, err)
}

// TestServer_close checks that Close waits for an answer that is being written.
func TestServer_close(t *testing.T) {
	s, err := New().Listen(t.Context(), ":0")
	require.NoError(t, err)
	began, released := make(chan struct{}), make(chan struct{})
	inner := s.http.Handler
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-released
		inner.ServeHTTP(w, r)
	})
	status := make(chan int, 1)
	go func() {
		answer, err := http.Get(s.URL())
		if err != nil {
			status <- -1
			return
		}
		_ = answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-began
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	close(released)
	require.NoError(t, <-closed)
	require.Equal(t, 200, <-status)
	_, err = net.DialTimeout("tcp", s.listener.Addr().String(), time.Second)
	require.Error(t, err)
}

// protobuf asks for the format of Prometheus that has native histograms.
const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

// scrape returns what a scraper that understands native histograms reads.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	answer, body := get(t, http.MethodGet, url, protobuf, "")
	require.Equal(t, 200, answer.StatusCode)
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(answer.Header))
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err == io.EOF {
			return families
		} else {
			require.NoError(t, err)
		}
		families[f.GetName()] = &f
	}
}

// TestFormats checks the text formats, and has promtool check the first.
func TestFormats(t *testing.T) {
	e := New()
	filled(e)
	s := serve(t, e, ":0")
	answer, text := get(t, http.MethodGet, s.URL(), "", "")
	require.Contains(t, answer.Header.Get("Content-Type"), "text/plain")
	require.Contains(t, string(text), `fleetmark_run_operations_succeeded_total{op="push",phase="timed",scenario="x"} 3`)
	require.Contains(t, string(text), `_bucket{op="push",phase="timed",scenario="x",le="0.001953125"} 2`)
	answer, open := get(t, http.MethodGet, s.URL(), "application/openmetrics-text; version=1.0.0", "")
	require.Contains(t, answer.Header.Get("Content-Type"), "application/openmetrics-text")
	require.True(t, bytes.HasSuffix(open, []byte("# EOF\n")))

	promtool := testenv.Program(t, "promtool")
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = bytes.NewReader(text)
	out, err := check.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}

// TestHandlerIsForThisMachine checks that a request without a host is refused, as HTTP/1.0 may have
// it.
func TestHandlerIsForThisMachine(t *testing.T) {
	s := serve(t, New(), ":0")
	r := httptest.NewRequest(http.MethodGet, Path, nil)
	r.Host = ""
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	require.Equal(t, 403, w.Code)
}
