package profiles

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
	"github.com/google/pprof/profile"
)

// FlameOptions say what a flame graph is of.
type FlameOptions struct {
	// SampleIndex names the number to draw, such as alloc_objects; empty is the profile's own choice.
	SampleIndex string

	// Within are the beginnings of the names of functions one of which must be on a stack that is drawn. Empty: all are.
	Within []string

	// Raw draws a difference of the files as they are, not of a million operations of either side.
	Raw bool

	// Title and Note are the line above the graph, and what is said of it, as text.
	Title, Note string
}

// Flame writes pprof's own flame graph as a page of HTML that needs nothing else: of now alone, or,
// where base is not empty, of now less base, in which what got more is drawn in red and what got
// less in green. Its pictures are drawn by the page's script; no request leaves it.
//
// What can't be read, holds no samples or no names is a [*FileError], and nothing is written.
func Flame(ctx context.Context, w io.Writer, base, now []string, opts FlameOptions) error {
	v, err := flameView(ctx, base, now, opts)
	if err != nil {
		return err
	}
	var page []byte
	v.serve = func(args *driver.HTTPServerArgs) error {
		page, err = get(args.Handlers["/flamegraph"], "/flamegraph", opts.SampleIndex)
		return err
	}
	if err := render(ctx, v); err != nil {
		return fmt.Errorf("profile flame: %w", err)
	}
	if page, err = alone(page, opts); err != nil {
		return fmt.Errorf("profile flame: %w", err)
	}
	if _, err := w.Write(page); err != nil {
		return fmt.Errorf("profile flame: %w", err)
	}
	return nil
}

func flameView(ctx context.Context, base, now []string, opts FlameOptions) (v view, err error) {
	v = view{bools: map[string]bool{"no_browser": true}, strings: map[string]string{"http": "127.0.0.1:0", "sample_index": opts.SampleIndex}}
	o := DiffOptions{TopOptions: TopOptions{SampleIndex: opts.SampleIndex}, Raw: opts.Raw || len(base) == 0}
	if len(base) == 0 {
		v.p, err = side(ctx, now, o)
	} else {
		v.base, v.p, err = sides(ctx, base, now, o)
	}
	if err != nil || len(opts.Within) == 0 {
		return v, err
	}
	keepWithin(v.p, opts.Within)
	if v.base != nil {
		keepWithin(v.base, opts.Within)
	}
	if len(v.p.Sample) == 0 && (v.base == nil || len(v.base.Sample) == 0) {
		return v, &FileError{Path: now[0], Problem: NoSamples, Err: fmt.Errorf("within %s", strings.Join(opts.Within, " or "))}
	}
	return v, nil
}

// keepWithin drops the stacks that none of those functions is on.
func keepWithin(p *profile.Profile, within []string) {
	var stack []frame
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		stack = frames(s, stack)
		return owner(stack, within) < 0
	})
}

// get asks a page of pprof's for itself.
func get(handler http.Handler, path, sampleIndex string) ([]byte, error) {
	if handler == nil {
		return nil, fmt.Errorf("this pprof has no page %s", path)
	}
	query := url.Values{}
	if sampleIndex != "" {
		query.Set("si", sampleIndex)
	}
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(answer, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query.Encode()}, Header: http.Header{}})
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
func alone(page []byte, opts FlameOptions) ([]byte, error) {
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
	of := `<div id="of"><b>` + html.EscapeString(opts.Title) + `</b>` + html.EscapeString(opts.Note) +
		`<noscript> The graph is drawn by a script of this page: allow it, or read "fleetmark profile top".</noscript></div>`
	return []byte(strings.Replace(text, body, body+"\n  "+of, 1)), nil
}
