package profiles

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
)

// Serve shows pprof's own pages of now, less base if there is one, on a listener of this machine's
// loopback, until ctx is done. It closes the listener. Nothing but the pages is to be had: pprof's
// settings can't be changed through it.
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

// webView is what pprof's pages are of. Unlike [Flame] they have all of the profile, down to lines and addresses.
func webView(ctx context.Context, base, now []string, opts FlameOptions) (v view, err error) {
	o := opts.diff()
	v = view{
		bools:   map[string]bool{"no_browser": true, "normalize": o.Normalize && len(base) > 0},
		strings: map[string]string{"http": "127.0.0.1:0"},
	}
	o.Raw = o.Raw || len(base) == 0
	var column int
	if v.p, column, err = o.whole(ctx, now); err != nil {
		return v, err
	}
	v.strings["sample_index"] = v.p.SampleType[column].Type
	if len(base) == 0 {
		return v, nil
	}
	if v.base, _, err = o.whole(ctx, base); err != nil {
		return v, err
	}
	if !sameTypes(v.base, v.p) {
		return v, otherKind(now[0], v.base, v.p)
	}
	return v, nil
}

// whole reads one of two sides with all that package profile knows of it: merged, checked, of a million operations, and
// with names that can be shown.
func (o DiffOptions) whole(ctx context.Context, files []string) (*profile.Profile, int, error) {
	operations := int64(0)
	p, column, err := merged(ctx, files, o.TopOptions, func(path string, p *profile.Profile) error {
		if err := o.checkOperations(path, p); err != nil {
			return err
		}
		operations, _ = addSaturated(operations, Operations(p))
		return checkDrawn(path, p)
	})
	if err != nil {
		return nil, 0, err
	}
	if len(p.Sample) == 0 {
		return nil, 0, &FileError{Path: files[0], Problem: NoSamples}
	}
	if o.perOperation() {
		p.Scale(perOperations / float64(operations))
	}
	for _, f := range p.Function {
		f.Name, f.SystemName, f.Filename = Printable(f.Name), Printable(f.SystemName), Printable(f.Filename)
	}
	for i, c := range p.Comments {
		p.Comments[i] = Printable(c)
	}
	return p, column, nil
}

func closed(listener net.Listener) error {
	if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// pages are pprof's without those that write its settings.
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
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page from elsewhere may have had its name point here (DNS rebinding).
		host, _, err := net.SplitHostPort(r.Host)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "want this machine's loopback address", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
