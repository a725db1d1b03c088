package view

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
	"golang.org/x/sync/semaphore"

	"github.com/fleetmark/fleetmark/profiles"
)

// maxServedFrames is the largest number of frames of all stacks that [Serve] accepts, both sides
// together. Package profile needs about 60 bytes a frame, and pprof copies the profile for each
// page.
const maxServedFrames = 10_000_000

// Serve serves pprof's own pages on a listener, which must be on the loopback interface, until ctx
// is done: of now, or of the difference of now and base if there is a base. It closes the listener.
// pprof's settings can't be changed through the pages.
//
// If all stacks together have more than 10 million frames, the error is a [*profiles.FileError],
// since the pages hold the whole profile. Serve makes one page at a time.
func Serve(ctx context.Context, listener net.Listener, base, now []string, opts FlameOptions) error {
	v, err := webView(ctx, base, now, opts)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	v.serve = func(args *driver.HTTPServerArgs) error {
		server := &http.Server{Handler: pages(args.Handlers), ReadHeaderTimeout: 10 * time.Second}
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
	if err := render(ctx, v); err != nil {
		return errors.Join(fmt.Errorf("profile web: %w", err), closed(listener))
	}
	return closed(listener)
}

// webView returns what pprof's pages show. Unlike [Flame], they keep lines and addresses.
func webView(ctx context.Context, base, now []string, opts FlameOptions) (v driverOptions, err error) {
	b, n, err := opts.loadFlameSides(ctx, base, now)
	if err != nil {
		return v, err
	}
	frames := n.Frames()
	if b != nil {
		frames += b.Frames()
	}
	if frames > maxServedFrames {
		return v, &profiles.FileError{
			Path: now[0], Problem: profiles.TooLarge, Err: fmt.Errorf("stacks of %d frames in all", frames),
			Advice: fmt.Sprintf("want at most %d for pages, or draw a flame graph", maxServedFrames),
		}
	}
	v.settings = map[string]string{
		"normalize":    strconv.FormatBool(opts.Normalize && b != nil),
		"sample_index": n.Type().Type,
	}
	perOperation := b != nil && opts.perOperation()
	if v.p, err = whole(now, n.Operations, perOperation); err != nil || b == nil {
		return v, err
	}
	v.base, err = whole(base, b.Operations, perOperation)
	return v, err
}

// whole reads and merges files without reducing them. It scales them to a million operations if
// perOperation is set, and quotes names that can't be printed.
func whole(files []string, operations int64, perOperation bool) (*profile.Profile, error) {
	sum, err := profiles.LoadMerged(files)
	if err != nil {
		return nil, err
	}
	// As in pprof, frames that the profile itself asks to hide are removed.
	if err := sum.RemoveUninteresting(); err != nil {
		return nil, &profiles.FileError{Path: files[0], Problem: profiles.NotProfile, Err: err}
	}
	if perOperation {
		sum.Scale(normalizedOperations / float64(operations))
	}
	for _, f := range sum.Function {
		f.Name, f.SystemName = profiles.Printable(f.Name), profiles.Printable(f.SystemName)
		f.Filename = profiles.Printable(f.Filename)
	}
	for i, c := range sum.Comments {
		sum.Comments[i] = profiles.Printable(c)
	}
	return sum, nil
}

func closed(listener net.Listener) error {
	if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// pages returns a handler of pprof's pages, except those that write its settings, for requests from
// this machine alone.
func pages(handlers map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for path, handler := range handlers {
		if path == "/" {
			path = "/{$}"
		}
		if !strings.HasSuffix(path, "config") {
			mux.Handle(path, handler)
		}
	}
	making := semaphore.NewWeighted(1) // one page at a time: pprof copies the profile for each
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The Host header must be a loopback address, or a web page could have its own name resolve
		// to this server (DNS rebinding).
		host, _, err := net.SplitHostPort(r.Host)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "want this machine's loopback address", http.StatusForbidden)
			return
		}
		if making.Acquire(r.Context(), 1) != nil {
			return // the client has gone
		}
		defer making.Release(1)
		mux.ServeHTTP(w, r)
	})
}
