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

// FlameOptions say what a flame graph is of.
type FlameOptions struct {
	DiffOptions // how many functions and in which order doesn't matter

	// Within are prefixes of function names. A stack is drawn if it holds such a function; all are
	// drawn if Within is empty.
	Within []string

	// Title and Note stand above the graph, as text.
	Title, Note string

	// NoScript says what to do instead where the page's script isn't allowed, such as read a table.
	// Empty is nothing.
	NoScript string
}

// MaxFlamePage is the largest page that [Flame] writes, in bytes. A browser draws one of this size
// in a second or two.
const MaxFlamePage = 5_000_000

// Flame writes pprof's own flame graph as a page of HTML that needs nothing else: of now alone, or,
// where base is not empty, of now less base, in which what got more is drawn in red and what got
// less in green. Its pictures are drawn by the page's script; no request leaves it.
//
// A page that would be larger than [MaxFlamePage] leaves out functions below a share of the whole,
// as small a share as fits; what they took is drawn as "(left out)" on top of their callers. The
// notes say what was left out, and for a raw difference how long either side is; the page says so,
// too.
//
// What can't be read, holds no samples or no names is a [*profiles.FileError], and nothing is
// written.
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

// loadFlameSides reads what is drawn. b is nil if there is no base.
func (o FlameOptions) loadFlameSides(ctx context.Context, base, now []string) (b, n *profiles.Samples, err error) {
	if len(base) > 0 {
		return loadSides(ctx, base, now, o.DiffOptions)
	}
	o.Raw, o.Normalize = true, false
	n, err = o.loadSide(ctx, now)
	return nil, n, err
}

// newFlame reads what is drawn.
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

// page has pprof draw what is left of the stacks.
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

// standalonePage readies a page of pprof's for a life without its server: nothing may be fetched,
// the menus that would ask the server for another page are gone, and a line says what it is of.
func standalonePage(page []byte, opts FlameOptions, notes []string) ([]byte, error) {
	const head, body = "<head>", "<body>"
	text := string(page)
	if strings.Count(text, head) != 1 || strings.Count(text, body) != 1 {
		return nil, errors.New("pprof's page is another than it was: its head and body can't be told")
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
