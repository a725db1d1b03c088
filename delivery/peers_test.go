package delivery

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/stretchr/testify/require"
)

// everything is the variable that makes a test fail, instead of being skipped, if it needs a
// program that isn't installed. .ci/run sets it.
const everything = "FLEETMARK_TEST_EVERYTHING"

// program returns the path of an installed program. It skips the test if there is none.
func program(t *testing.T, names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.Empty(t, os.Getenv(everything), "%s is not installed", names[0])
	t.Skip(names[0] + " is not installed; .ci/run wants this test")
	return ""
}

// run starts a program, and ends it when the test ends.
func run(t *testing.T, path string, args ...string) *bufio.Reader {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // an interrupt is how it ends
	})
	return bufio.NewReader(out)
}

// patient returns a configuration that waits for a peer to listen, by retrying refused connections.
func patient(cfg Config) Config {
	cfg.Budget.Off, cfg.Breaker.Failures = true, -1
	cfg.Retry = Retry{MaxAttempts: maxAttempts, Base: 20 * time.Millisecond, Cap: 40 * time.Millisecond}
	return cfg
}

const nginxConfig = `
daemon off;
%[5]s
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 64; }
http {
    access_log %[1]s/access.log;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    client_max_body_size 64m;
    default_type application/json;
    server {
        listen 127.0.0.1:%[2]d;
        location = /update { proxy_pass http://127.0.0.1:%[2]d/taken; }
        location = /taken { return 200 '{"success":true,"message":"taken","size":%[3]d,"digest":"%[4]s"}'; }
        location = /version { return 200 '{"device_id":"nginx","version":"2.0.0","digest":"%[4]s","state":"idle","updated_at":""}'; }
        location = /small/update { client_max_body_size 1k; proxy_pass http://127.0.0.1:%[2]d/taken; }
        location = /moved/update { return 307 /update; }
        location = /moved/version { return 308 /version; }
        location = /away/update { return 302 /update; }
    }
}
`

// TestNginx updates and verifies a device through nginx. nginx reads the body, because it is a
// proxy of itself here.
func TestNginx(t *testing.T) {
	nginx := program(t, "nginx", "/usr/sbin/nginx") // where Debian has it, outside a user's PATH
	dir, body := t.TempDir(), bytes.Repeat([]byte("firmware"), 100_000)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // otherwise its workers run as nobody, and can't write below this test's directory
	}
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(config,
		fmt.Appendf(nil, nginxConfig, dir, port, len(body), fmt.Sprintf("%x", sha256.Sum256(body)), user), 0o600))
	run(t, nginx, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)

	u := newUpdate(t, "2.0.0", body)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	overBoth(t, func(t *testing.T, cfg Config) {
		c := newClient(t, patient(cfg))
		for range 3 {
			_, err := c.Deliver(t.Context(), Device{ID: "nginx", Address: address}, u)
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, c.Stats().Requests-c.Stats().Reused, "one connection")
		_, err := c.Deliver(t.Context(), Device{ID: "nginx", Address: address + "/moved"}, u)
		require.NoError(t, err)
		require.Equal(t, ClassPermanent, ClassOf(c.Push(t.Context(), Device{Address: address + "/away"}, u)))
		err = c.Push(t.Context(), Device{Address: address + "/small"}, u)
		require.Equal(t, ClassPermanent, ClassOf(err))
		require.ErrorContains(t, err, "413", "nginx answers, and closes with the upload unread")
		require.ErrorIs(t, c.Verify(t.Context(), Device{Address: address}, newUpdate(t, "3", body)), ErrLacksUpdate)

		cfg.ExpectFrom = 1 // nginx asks for the body
		require.NoError(t, newClient(t, cfg).Push(t.Context(), Device{Address: address}, u))
	})
}

// pythonDevice is a device in Python's own HTTP server.
const pythonDevice = `
import hashlib, http.server, json
class Device(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = {"device_id": "python", "version": "1", "digest": "", "state": "idle"}
    def say(self, answer):
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.say(self.state)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(body).hexdigest()
        self.state.update(version=self.headers["X-Update-Version"], digest=digest)
        self.say({"success": True, "message": "applied", "size": len(body), "digest": digest})
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Device)
print(server.server_port, flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
`

// TestPython does the same with a server that shares no code with Go.
func TestPython(t *testing.T) {
	port, err := run(t, program(t, "python3"), "-c", pythonDevice).ReadString('\n')
	require.NoError(t, err)
	dev := Device{ID: "python", Address: "http://127.0.0.1:" + strings.TrimSpace(port)}
	overBoth(t, func(t *testing.T, cfg Config) {
		for i, expect := range []int64{0, 1} {
			cfg.ExpectFrom = expect
			c, u := newClient(t, cfg), newUpdate(t, fmt.Sprintf("2.%d-%s", i, cfg.Transport),
				bytes.Repeat([]byte("firmware"), 100_000))
			require.ErrorIs(t, c.Verify(t.Context(), dev, u), ErrLacksUpdate)
			for range 3 {
				_, err := c.Deliver(t.Context(), dev, u)
				require.NoError(t, err)
			}
			require.EqualValues(t, 1, c.Stats().Dials)
		}
	})
}

// TestHTTP2 runs over TLS, against net/http's own server. Many updates share a connection.
func TestHTTP2(t *testing.T) {
	dev := newTestDevice(t)
	s := httptest.NewUnstartedServer(dev.handler())
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := newClient(t, Config{Transport: NetHTTP, TLS: &tls.Config{RootCAs: roots}})
	u := newUpdate(t, "2", bytes.Repeat([]byte("firmware"), 100_000))
	for range 3 {
		_, err := c.Deliver(t.Context(), Device{ID: "till-17", Address: s.URL}, u)
		require.NoError(t, err)
	}
	ended := make(chan error, 20)
	for range cap(ended) {
		go func() { ended <- c.Push(t.Context(), Device{ID: "till-17", Address: s.URL}, u) }()
	}
	for range cap(ended) {
		require.NoError(t, <-ended)
	}
	require.EqualValues(t, 1, c.Stats().Dials)
	for _, r := range dev.pushes {
		require.Equal(t, "HTTP/2.0", r.Proto)
		require.Equal(t, []string{exchange.UserAgent}, r.Header.Values("User-Agent"))
	}
}
