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

// maxServedFrames bounds the stacks that [Serve] holds, of both sides together. Package profile
// takes about 60 bytes a frame, and pprof a copy of that for a page.
const maxServedFrames = 10_000_000

// Serve shows pprof's own pages of now, less base if there is one, on a listener of this machine's
// loopback, until ctx is done. It closes the listener. Nothing but the pages is to be had: pprof's
// settings can't be changed through it.
//
// Stacks of more than 10 million frames in all are too large for pages, which hold everything: the
// error is a [*profiles.FileError]. Pages are made one at a time.
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

// webView returns what pprof's pages show. Unlike [Flame] they have all of the profile, down to
// lines and addresses.
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

// whole reads files with all that package profile knows of them: merged, of a million operations if
// they are compared by operation, and with names that can be shown.
func whole(files []string, operations int64, perOperation bool) (*profile.Profile, error) {
	sum, err := profiles.LoadMerged(files)
	if err != nil {
		return nil, err
	}
	// Frames that the profile itself asks to drop aren't shown by pprof either.
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

// pages serves pprof's pages, except those that write its settings, to this machine alone.
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
		// A page from elsewhere may have had its name point here (DNS rebinding).
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
