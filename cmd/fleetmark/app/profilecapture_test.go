package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/profilecmd"
	"github.com/fleetmark/fleetmark/profiles"
)

// TestProfileCapture takes profiles of a service that wants authentication. The files are named on
// standard output, and profiles without samples are named on standard error.
func TestProfileCapture(t *testing.T) {
	const secret = "Bearer of-nobody-else"
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != secret {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	capture := func(more ...string) (code int, stdout, stderr string) {
		var out, said bytes.Buffer
		args := append([]string{"profile", "capture", s.URL + "/debug/pprof", "--for", "1s", "--out", dir}, more...)
		code = execute(t.Context(), cli.Console{Args: args, In: strings.NewReader(""), Out: &out, Err: &said})
		return code, out.String(), said.String()
	}
	code, stdout, stderr := capture()
	require.Equal(t, cli.ExitUsage, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "it answers 401 Unauthorized: who are you?")

	t.Setenv(profilecmd.AuthorizationVariable, secret)
	code, stdout, stderr = capture("--kind", "goroutine,mutex", "--operations", "7")
	require.Equal(t, cli.ExitPass, code, stderr)
	require.Equal(t, filepath.Join(dir, "goroutine.1.pb.gz")+"\n"+filepath.Join(dir, "mutex.1.pb.gz")+"\n", stdout)
	require.NotContains(t, stdout+stderr, secret)
	p, err := profiles.Load(filepath.Join(dir, "goroutine.1.pb.gz"))
	require.NoError(t, err)
	require.EqualValues(t, 7, profiles.Operations(p))
	mutex, err := profiles.Load(filepath.Join(dir, "mutex.1.pb.gz"))
	require.NoError(t, err)
	if len(mutex.Sample) == 0 {
		require.Contains(t, stderr, "mutex.1.pb.gz holds no samples: nobody held anybody up, or the service doesn't call runtime.SetMutexProfileFraction")
	}
}
