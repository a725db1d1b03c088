package profiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
)

// FlameOptions say what a flame graph is of.
type FlameOptions struct {
	DiffOptions // how many functions and in which order doesn't matter

	// Within are prefixes of function names. A stack is drawn if it holds such a function; all are drawn
	// if Within is empty.
	Within []string

	// Title and Note stand above the graph, as text.
	Title, Note string
}

// MaxFlamePage is the largest page that [Flame] writes, in bytes. A browser draws one of this size in a second or two.
const MaxFlamePage = 5_000_000

// Flame writes pprof's own flame graph as a page of HTML that needs nothing else: of now alone, or,
// where base is not empty, of now less base, in which what got more is drawn in red and what got
// less in green. Its pictures are drawn by the page's script; no request leaves it.
//
// A page that would be larger than [MaxFlamePage] leaves out functions below a share of the whole, as small
// a share as fits; what they took is drawn as "(left out)" on top of their callers. The notes say what was left
// out, and for a raw difference how long either side is; the page says so, too.
//
// What can't be read, holds no samples or no names is a [*FileError], and nothing is written.
func Flame(ctx context.Context, w io.Writer, base, now []string, opts FlameOptions) (notes []string, err error) {
	f, notes, err := newFlame(ctx, base, now, opts)
	if err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("profile flame: %w", context.Cause(ctx))
		}
		if f.prune() {
			told := append(slices.Clone(notes), f.notes()...)
			page, err := f.page(ctx, opts, told)
			if err != nil {
				return nil, fmt.Errorf("profile flame: %w", err)
			}
			if len(page) <= MaxFlamePage {
				if _, err := w.Write(page); err != nil {
					return nil, fmt.Errorf("profile flame: %w", err)
				}
				return told, nil
			}
		}
		if !f.coarser() {
			return nil, fmt.Errorf("profile flame: the page doesn't fit into %d bytes: its functions' names are too long",
				MaxFlamePage)
		}
	}
}

// sides reads what is drawn. b is nil if there is no base.
func (o FlameOptions) sides(ctx context.Context, base, now []string) (b, n *stackSet, err error) {
	if len(base) > 0 {
		return bothSides(ctx, base, now, o.DiffOptions)
	}
	o.Raw, o.Normalize = true, false
	n, err = o.side(ctx, now)
	return nil, n, err
}

// newFlame reads what is drawn.
func newFlame(ctx context.Context, base, now []string, opts FlameOptions) (f *flame, notes []string, err error) {
	b, n, err := opts.sides(ctx, base, now)
	if err != nil {
		return nil, nil, err
	}
	if b != nil {
		notes = opts.DiffOptions.notes(b, n)
		if n.appendBase(b); n.saturated {
			notes = append(notes, saturatedNote)
		}
	}
	if err := n.dropFrames(now[0]); err != nil {
		return nil, nil, err
	}
	if f = flameOf(n); len(opts.Within) > 0 {
		if f.keepWithin(opts.Within); len(f.drawn) == 0 {
			err := fmt.Errorf("within %s", strings.Join(opts.Within, " or "))
			return nil, nil, &FileError{Path: now[0], Problem: NoSamples, Err: err}
		}
	}
	return f, append(notes, f.fit()...), nil
}

// page has pprof draw what is left of the stacks.
func (f *flame) page(ctx context.Context, opts FlameOptions, notes []string) (page []byte, err error) {
	v := view{}
	v.p, v.base = f.profiles()
	v.serve = func(args *driver.HTTPServerArgs) error {
		page, err = get(args.Handlers["/flamegraph"], "/flamegraph")
		return err
	}
	if err := render(ctx, v); err != nil {
		return nil, err
	}
	return alone(page, opts, notes)
}

// get asks pprof for one of its pages.
func get(handler http.Handler, path string) ([]byte, error) {
	if handler == nil {
		return nil, fmt.Errorf("this pprof has no page %s", path)
	}
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(answer, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}})
	if answer.status != http.StatusOK {
		return nil, fmt.Errorf("pprof's page %s: %s", path, strings.TrimSpace(answer.body.String()))
	}
	return answer.body.Bytes(), nil
}

// answer keeps what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// alone readies a page of pprof's for a life without its server: nothing may be fetched, the menus
// that would ask the server for another page are gone, and a line says what it is of.
func alone(page []byte, opts FlameOptions, notes []string) ([]byte, error) {
	const head, body = "<head>", "<body>"
	text := string(page)
	if strings.Count(text, head) != 1 || strings.Count(text, body) != 1 {
		return nil, errors.New("pprof's page is another than it was: its head and body can't be told")
	}
	text = strings.Replace(text, head, head+`
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
  <meta name="viewport" content="width=device-width">
  <style>
    #view, #sample, #refine, #config, #download, .header .title a[href="./"], #action-menu { display: none !important; }
    #of { font: 14px sans-serif; padding: 8px 12px; }
    #of b { margin-right: 1em; }
  </style>`, 1)
	of := `<div id="of"><b>` + html.EscapeString(Printable(opts.Title)) + `</b>` + html.EscapeString(Printable(opts.Note))
	for _, n := range notes {
		of += `<div>` + html.EscapeString(Printable(n)) + `</div>`
	}
	of += `<noscript> The graph is drawn by a script of this page: allow it, or read "fleetmark profile top".</noscript></div>`
	return []byte(strings.Replace(text, body, body+"\n  "+of, 1)), nil
}

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

// webView returns what pprof's pages show. Unlike [Flame] they have all of the profile, down to lines and addresses.
func webView(ctx context.Context, base, now []string, opts FlameOptions) (v view, err error) {
	b, n, err := opts.sides(ctx, base, now)
	if err != nil {
		return v, err
	}
	v.settings = map[string]string{
		"normalize":    strconv.FormatBool(opts.Normalize && b != nil),
		"sample_index": n.about.SampleType[n.column].Type,
	}
	perOperation := b != nil && opts.perOperation()
	if v.p, err = whole(now, n.operations, perOperation); err != nil || b == nil {
		return v, err
	}
	v.base, err = whole(base, b.operations, perOperation)
	return v, err
}

// whole reads files with all that package profile knows of them: merged, of a million operations if they
// are compared by operation, and with names that can be shown.
func whole(files []string, operations int64, perOperation bool) (*profile.Profile, error) {
	var sum *profile.Profile
	for _, path := range files {
		p, err := Load(path)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = p // as it is: merged ones are compacted
			continue
		}
		comments := together(sum, p)
		if sum, err = profile.Merge([]*profile.Profile{sum, p}); err != nil {
			return nil, &FileError{Path: path, Problem: OtherKind, Err: err}
		}
		sum.Comments = comments
	}
	// Frames that the profile itself asks to drop aren't shown by pprof either.
	if err := sum.RemoveUninteresting(); err != nil {
		return nil, &FileError{Path: files[0], Problem: NotProfile, Err: err}
	}
	if perOperation {
		sum.Scale(perOperations / float64(operations))
	}
	for _, f := range sum.Function {
		f.Name, f.SystemName, f.Filename = Printable(f.Name), Printable(f.SystemName), Printable(f.Filename)
	}
	for i, c := range sum.Comments {
		sum.Comments[i] = Printable(c)
	}
	return sum, nil
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
