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
)

// Serve shows pprof's own pages of now, less base if there is one, on a listener of this machine's
// loopback, until ctx is done. It closes the listener. Nothing but the pages is to be had: pprof's
// settings can't be changed through it.
func Serve(ctx context.Context, listener net.Listener, base, now []string, opts FlameOptions) error {
	v, err := flameView(ctx, base, now, opts)
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
