package capture_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// service starts a server with the handlers of net/http/pprof, which requires secret as the
// Authorization header.
func service(t *testing.T, secret string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != secret {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestCaptureRemote(t *testing.T) {
	const secret = "Bearer of-nobody-else"
	s, dir := service(t, secret), t.TempDir()
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	go func() {
		defer close(done)
		profiletest.Loop(ctx)
		allocateDuring()
	}()
	files, err := capture.Remote(t.Context(), s.Client(), s.URL, dir, 3, capture.RemoteConfig{
		Duration: time.Second, Trace: true, Labels: map[string]string{profiles.OperationsLabel: "12"}, Authorization: secret,
	})
	<-done
	require.NoError(t, err)
	require.Len(t, files, len(profiles.Kinds()))
	for i, f := range files {
		require.Equal(t, profiles.Kinds()[i], f.Kind)
		p, err := profiles.Load(f.Path)
		require.NoError(t, err)
		require.EqualValues(t, 12, profiles.Operations(p))
		data, err := os.ReadFile(f.Path)
		require.NoError(t, err)
		require.NotContains(t, string(data), secret)
		out, err := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", "-symbolize=none",
			f.Path).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.FileExists(t, filepath.Join(dir, "trace.3.out"))
	top, _, err := view.TopRows([]string{files[0].Path}, view.TopOptions{})
	require.NoError(t, err)
	require.Equal(t, profiletest.Path+"Loop", top[0].Function)
}

// TestCaptureRemoteGivesUp checks that if the server can't be reached, or serves no profiles, one
// line says so without waiting for the duration.
func TestCaptureRemoteGivesUp(t *testing.T) {
	s := service(t, "Bearer secret")
	for address, says := range map[string]string{
		"http://127.0.0.1:1/debug/pprof": "connection refused",
		s.URL:                            "it answers 401 Unauthorized: who are you?",
	} {
		// The test would time out if Remote waited for the hour.
		files, err := capture.Remote(t.Context(), s.Client(), address, t.TempDir(), 1,
			capture.RemoteConfig{Duration: time.Hour, Trace: true})
		require.ErrorContains(t, err, says)
		require.Empty(t, files)
		for _, k := range profiles.Kinds() {
			require.ErrorContains(t, err, string(k))
		}
		require.ErrorContains(t, err, "trace")
		require.Equal(t, 1, strings.Count(err.Error(), says), "%v", err)
	}
}

func TestCaptureRemoteRefuses(t *testing.T) {
	s := service(t, "")
	for name, row := range map[string]struct {
		address, says string
		cfg           capture.RemoteConfig
	}{
		"a password": {"http://me:secret@127.0.0.1:1/", "the address (not shown) holds a user or a password",
			capture.RemoteConfig{}},
		"no address": {"6060", "want http://HOST:PORT/debug/pprof", capture.RemoteConfig{}},
		"no server": {"http://127.0.0.1:1/debug/pprof", "connection refused",
			capture.RemoteConfig{Kinds: []profiles.Kind{profiles.CPU}}},
		"no pprof":  {s.URL + "/other", "404", capture.RemoteConfig{Kinds: []profiles.Kind{profiles.CPU}}},
		"too short": {s.URL, "want 1s to 1h", capture.RemoteConfig{Duration: time.Millisecond}},
		"kinds":     {s.URL, "named twice", capture.RemoteConfig{Kinds: []profiles.Kind{profiles.CPU, profiles.CPU}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, err := capture.Remote(t.Context(), s.Client(), row.address, dir, 1, row.cfg)
			require.ErrorContains(t, err, row.says)
			require.NotContains(t, err.Error(), "secret@")
			require.Empty(t, files)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
