package view_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

func TestFlameIsStandalone(t *testing.T) {
	base, now := someProfiles(t, profiles.CPU)
	b, err := profiles.Find(base, profiles.CPU)
	require.NoError(t, err)
	n, err := profiles.Find(now, profiles.CPU)
	require.NoError(t, err)
	for name, from := range map[string][]string{"one": nil, "two": b} {
		t.Run(name, func(t *testing.T) {
			var w bytes.Buffer
			notes, err := view.Flame(t.Context(), &w, from, n, view.FlameOptions{Title: "cpu of <this>", Note: "1 & 2"})
			require.NoError(t, err)
			require.Empty(t, notes)
			page := w.String()
			require.Contains(t, page, "cpu of &lt;this&gt;")
			require.Contains(t, page, "1 &amp; 2")
			require.Contains(t, page, "default-src 'none'")
			require.Contains(t, page, profiletest.Path+"Loop")
			require.Equal(t, 1, strings.Count(page, "<html>"))
			// The page loads nothing: no script, no style sheet, and no URL except those of name spaces.
			for _, m := range regexp.MustCompile(`(?i)(src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
				require.NotContains(t, m[2], "//")
				require.NotEqual(t, "src", strings.ToLower(m[1]))
			}
		})
	}
}

func TestFlameRefusesWhatItCannotDraw(t *testing.T) {
	_, now := someProfiles(t, profiles.CPU)
	files, err := profiles.Find(now, profiles.CPU)
	require.NoError(t, err)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	changed := func(name string, change func(*profile.Profile)) string {
		p, err := profiles.Load(files[0])
		require.NoError(t, err)
		change(p)
		var b bytes.Buffer
		require.NoError(t, p.Write(&b))
		return write(name, b.Bytes())
	}
	for says, path := range map[string]string{
		"empty":            write("empty.pb.gz", nil),
		"cut short":        write("cut.pb.gz", data[:len(data)/2]),
		"not a pprof":      write("text.pb.gz", []byte("no profile")),
		"holds no samples": changed("none.pb.gz", func(p *profile.Profile) { p.Sample = nil }),
		"not symbolized": changed("nameless.pb.gz", func(p *profile.Profile) {
			for i, l := range p.Location {
				l.Line, l.Address = nil, uint64(i+1)
			}
		}),
	} {
		t.Run(says, func(t *testing.T) {
			var w bytes.Buffer
			_, err := view.Flame(t.Context(), &w, nil, []string{path}, view.FlameOptions{})
			require.ErrorContains(t, err, says)
			_, err = view.Flame(t.Context(), &w, files, []string{path}, view.FlameOptions{})
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, view.Top(t.Context(), &w, []string{path}, view.TopOptions{}), says)
			_, _, err = view.TopRows([]string{path}, view.TopOptions{})
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, view.Diff(t.Context(), &w, []string{path}, files, view.DiffOptions{Raw: true}), says)
			// The error names the bad file among good ones too.
			_, err = view.Flame(t.Context(), &w, nil, append(slices.Clone(files), path), view.FlameOptions{})
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, err, path)
			require.Empty(t, w.String())
		})
	}
}

func TestServeShowsThePages(t *testing.T) {
	_, now := someProfiles(t, profiles.CPU)
	files, err := profiles.Find(now, profiles.CPU)
	require.NoError(t, err)
	var l net.ListenConfig
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- view.Serve(ctx, listener, nil, files, view.FlameOptions{}) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path, host string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		require.NoError(t, err)
		req.Host = host
		resp, err := client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(body)
	}
	for _, path := range []string{"/", "/top", "/flamegraph", "/peek"} {
		status, body := get(path, listener.Addr().String())
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, "profiletest.Loop", path)
	}
	status, _ := get("/saveconfig?config=x", listener.Addr().String())
	require.Equal(t, http.StatusNotFound, status)
	status, _ = get("/top", "elsewhere.example:80")
	require.Equal(t, http.StatusForbidden, status)
	cancel()
	require.NoError(t, <-ended)
}
