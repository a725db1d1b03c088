package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/pprof/driver"

	"github.com/fleetmark/fleetmark/profiles"
)

// FlameOptions say what a flame graph shows.
type FlameOptions struct {
	DiffOptions // Lines, Cumulative and ByLine are ignored

	// Within are prefixes of function names. Only stacks that hold such a function are drawn; if
	// Within is empty, all are.
	Within []string

	// Title and Note are shown above the graph.
	Title, Note string

	// NoScript says what to do if the browser runs no scripts, such as "read the table". It may be
	// empty.
	NoScript string
}

// MaxFlamePage is the largest page that [Flame] writes, in bytes. A browser draws a page of this
// size in one or two seconds.
const MaxFlamePage = 5_000_000

// Flame writes pprof's flame graph as a page of HTML that needs no other file: of now, or, if base
// isn't empty, of the difference of now and base, in which increases are red and decreases green.
// The page's script draws the graph; it makes no requests.
//
// If the page would be larger than [MaxFlamePage], Flame leaves out functions below the smallest
// share of the whole with which it fits, and draws their value as "(left out)" on top of their
// callers. The notes, which are also on the page, say what was left out, and for a raw difference
// how long either side is.
//
// The error about a file that can't be read, or has no samples or function names, is a
// [*profiles.FileError]. Flame then writes nothing.
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

// loadFlameSides reads both sides. b is nil if there is no base.
func (o FlameOptions) loadFlameSides(ctx context.Context, base, now []string) (b, n *profiles.Samples, err error) {
	if len(base) > 0 {
		return loadSides(ctx, base, now, o.DiffOptions)
	}
	o.Raw, o.Normalize = true, false
	n, err = o.loadSide(ctx, now)
	return nil, n, err
}

// newFlame reads both sides and returns the stacks to be drawn.
func newFlame(ctx context.Context, base, now []string, opts FlameOptions) (f *flame, notes []string, err error) {
	b, n, err := opts.loadFlameSides(ctx, base, now)
	if err != nil {
		return nil, nil, err
	}
	if b != nil {
		notes = opts.DiffOptions.notes(b, n)
		if n.AppendBase(b); n.Saturated {
			notes = append(notes, saturatedNote)
		}
	}
	if err := n.DropFrames(now[0]); err != nil {
		return nil, nil, err
	}
	if f = flameOf(n); len(opts.Within) > 0 {
		if f.filterStacks(opts.Within); len(f.drawn) == 0 {
			err := fmt.Errorf("within %s", strings.Join(opts.Within, " or "))
			return nil, nil, &profiles.FileError{Path: now[0], Problem: profiles.NoSamples, Err: err}
		}
	}
	return f, append(notes, f.fit()...), nil
}

// page returns the page on which pprof draws the stacks that prune left.
func (f *flame) page(ctx context.Context, opts FlameOptions, notes []string) (page []byte, err error) {
	v := driverOptions{}
	v.p, v.base = f.profiles()
	v.serve = func(args *driver.HTTPServerArgs) error {
		page, err = get(args.Handlers["/flamegraph"], "/flamegraph")
		return err
	}
	if err := render(ctx, v); err != nil {
		return nil, err
	}
	return standalonePage(page, opts, notes)
}

// get returns a page of pprof's server.
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

// An answer records what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// standalonePage changes a page of pprof's server so that it works without the server: it can't
// load anything, the menus that lead to other pages are removed, and a line says what the graph
// shows.
func standalonePage(page []byte, opts FlameOptions, notes []string) ([]byte, error) {
	const head, body = "<head>", "<body>"
	text := string(page)
	if strings.Count(text, head) != 1 || strings.Count(text, body) != 1 {
		return nil, errors.New("pprof's page has changed: its head and body weren't found")
	}
	text = strings.Replace(text, head, head+`
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; `+
		`script-src 'unsafe-inline'; img-src data:">
  <meta name="viewport" content="width=device-width">
  <style>
    #view, #sample, #refine, #config, #download, .header .title a[href="./"], #action-menu { display: none !important; }
    #of { font: 14px sans-serif; padding: 8px 12px; }
    #of b { margin-right: 1em; }
  </style>`, 1)
	shown := func(text string) string { return html.EscapeString(profiles.Printable(text)) }
	of := `<div id="of"><b>` + shown(opts.Title) + `</b>` + shown(opts.Note)
	for _, n := range notes {
		of += `<div>` + shown(n) + `</div>`
	}
	of += `<noscript> The graph is drawn by a script of this page: allow it`
	if opts.NoScript != "" {
		of += ", or " + html.EscapeString(opts.NoScript)
	}
	of += `.</noscript></div>`
	return []byte(strings.Replace(text, body, body+"\n  "+of, 1)), nil
}
