package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
)

// nginxConfig is an nginx that takes any update and always says that it runs version 9.9.9, which
// TestNginx pushes. nginx reads a request's body only to pass it on, so it passes it on to itself.
const nginxConfig = `
daemon off;
%[5]s
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
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
        listen 127.0.0.2:%[2]d;
        listen 127.0.0.3:%[2]d;
        location = /update {
            limit_except POST { deny all; }
            proxy_pass http://127.0.0.1:%[2]d/taken;
        }
        location = /taken { return 200 '{"success":true,"message":"taken","size":%[3]d,"digest":"%[4]s"}'; }
        location = /version { return 200 '{"device_id":"nginx","version":"9.9.9","digest":"%[4]s","state":"idle","updated_at":""}'; }
        location = /health { return 200 'OK'; }
    }
}
`

// TestNginx drives devices that are an independent implementation. .ci/run installs nginx.
func TestNginx(t *testing.T) {
	onceOnly(t)
	nginx := testenv.Program(t, "nginx", "/usr/sbin/nginx") // where Debian has it, outside a user's PATH
	dir := t.TempDir()
	firmware := []byte(strings.Repeat("firmware", 100_000))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "firmware.bin"), firmware, 0o600))
	port := freePort(t)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // otherwise its workers run as nobody and can't write below this test's directory
	}
	config := fmt.Sprintf(nginxConfig, dir, port, len(firmware), fmt.Sprintf("%x", sha256.Sum256(firmware)), user)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600))

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, nginx, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c",
		filepath.Join(dir, "nginx.conf"))
	server.Stderr = os.Stderr
	require.NoError(t, server.Start())
	defer func() {
		require.NoError(t, server.Process.Signal(os.Interrupt))
		require.NoError(t, server.Wait())
	}()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	eventually(t, "nginx listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	devices := fmt.Sprintf("# the same nginx three times\n127.0.0.1:%[1]d nginx\nhttp://127.0.0.2:%[1]d nginx   # with its scheme\nHTTP://127.0.0.3:%[1]d/\n", port)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "devices.txt"), []byte(devices), 0o600))
	for _, transport := range []string{"lean", "nethttp"} {
		cmd := exec.CommandContext(ctx, filepath.Join(built, "fleetmark"), "run", "--devices-from", "devices.txt",
			"--artifact", "firmware.bin",
			"--set", "artifact.version=9.9.9", "--repeat", "2", "--workers", "2", "--transport", transport, "--no-progress")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "3 devices, 3 updated, 0 failed, 0 lost, 0 applied twice")
		require.Contains(t, string(out), "client's word only")
	}
	log, err := os.ReadFile(filepath.Join(dir, "access.log"))
	require.NoError(t, err)
	// Warm-up, two timed and one profiled repetition of three devices, over two transports.
	require.Equal(t, 2*4*3, strings.Count(string(log), `"POST /update HTTP/1.1" 200`), "%s", log)
	require.Equal(t, 2*4*3, strings.Count(string(log), `"GET /version HTTP/1.1" 200`))

	// A version that nginx doesn't run is not delivered, whatever the push's answer.
	cmd := exec.CommandContext(ctx, filepath.Join(built, "fleetmark"), "run", "--devices-from", "devices.txt",
		"--artifact", "firmware.bin", "--repeat", "1", "--no-progress")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode())
	require.Contains(t, string(out), "by class 3 integrity")
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
