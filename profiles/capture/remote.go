package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
)

// A RemoteConfig says what [Remote] captures.
type RemoteConfig struct {
	// Kinds to capture, each at most once. Nil means all of [profiles.Kinds].
	Kinds []profiles.Kind

	// Duration is how long the capture lasts, from 1s to 1h; 0 means 10s. Kinds that the service
	// accumulates hold the difference over that time.
	Duration time.Duration

	// Trace also captures an execution trace of the first second, in trace.REPETITION.out.
	Trace bool

	// Labels are put into every file, as in [Config].
	Labels map[string]string

	// Authorization is the header of that name, which is sent with every request. It is never
	// written to a file or an error.
	Authorization string
}

const (
	defaultRemoteDuration = 10 * time.Second
	maxRemoteDuration     = time.Hour
	remoteTrace           = time.Second
	remoteSlack           = 30 * time.Second // how much longer than Duration an answer may take
)

// A RemoteError says in one line why a service gave no profile.
type RemoteError struct {
	Address string // without user, password or query
	Kind    string
	Err     error
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("%s of %s: %v", e.Kind, e.Address, e.Err)
}

func (e *RemoteError) Unwrap() error { return e.Err }

// Remote captures profiles of a service that serves net/http/pprof at address, such as
// http://127.0.0.1:6060/debug/pprof, all at the same time, and writes them to
// dir/KIND.REPETITION.pb.gz. It returns the files that were written, and an error if any is
// missing. Kinds that failed for the same reason share a [*RemoteError]. If the service can't be
// reached, Remote returns at once. cfg bounds the time, so client needs no timeout.
func Remote(
	ctx context.Context, client *http.Client, address, dir string, repetition int, cfg RemoteConfig,
) ([]profiles.File, error) {
	base, err := remoteAddress(address)
	if err != nil {
		return nil, err
	}
	cfg.Duration = cmp.Or(cfg.Duration, defaultRemoteDuration)
	if cfg.Duration < time.Second || cfg.Duration > maxRemoteDuration {
		return nil, fmt.Errorf("profile capture: %v: want 1s to %v", cfg.Duration, maxRemoteDuration)
	}
	if cfg.Kinds, err = checkKinds(cfg.Kinds); err != nil {
		return nil, err
	}
	if err := profiles.CheckLabels(cfg.Labels); err != nil {
		return nil, err
	}
	if repetition < 1 {
		return nil, fmt.Errorf("profile capture: repetition %d: want 1 or more", repetition)
	}
	if err := profiles.MakeDirectory(dir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Duration+remoteSlack)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	r := &remote{client: client, base: base, cfg: cfg, giveUp: giveUp}
	for _, k := range cfg.Kinds {
		if !deferred(k) {
			r.immediate.Add(1)
		}
	}
	files, errs := make([]profiles.File, len(cfg.Kinds)), make([]error, len(cfg.Kinds)+1)
	var all sync.WaitGroup
	for i, k := range cfg.Kinds {
		all.Go(func() {
			files[i], errs[i] = r.take(ctx, k, dir, repetition)
			r.failed(errs[i], !deferred(k))
		})
	}
	if cfg.Trace {
		all.Go(func() {
			errs[len(cfg.Kinds)] = r.trace(ctx, filepath.Join(dir, traceName(repetition)))
			r.failed(errs[len(cfg.Kinds)], false)
		})
	}
	all.Wait()
	files = slices.DeleteFunc(files, func(f profiles.File) bool { return f.Path == "" })
	return files, errors.Join(groupErrors(errs), syncDirectory(dir))
}

// deferred reports whether a kind is requested only after some of the duration has passed.
func deferred(k profiles.Kind) bool { return k == profiles.Heap || k == profiles.Goroutine }

// errNoOther is the error of deferred kinds, which aren't requested if all others failed.
var errNoOther = errors.New("not requested, since all other kinds failed")

// failed handles the error of a kind, which may be nil. It cancels the kinds that still wait if no
// connection could be made, or if all kinds that are requested at once have failed.
func (r *remote) failed(err error, immediate bool) {
	switch {
	case err == nil:
	case isDialError(err):
		r.giveUp(errors.Unwrap(err))
	case immediate && r.immediate.Add(-1) == 0:
		r.giveUp(errNoOther)
	}
}

// groupErrors joins errors. Kinds that failed for the same reason become one error.
func groupErrors(errs []error) error {
	var each []error
	at := map[string]*RemoteError{}
	for _, err := range errs {
		e, ok := errors.AsType[*RemoteError](err)
		if !ok {
			each = append(each, err)
			continue
		}
		if first := at[e.Err.Error()]; first != nil {
			first.Kind += ", " + e.Kind
			continue
		}
		at[e.Err.Error()] = e
		each = append(each, e)
	}
	return errors.Join(each...)
}

// isDialError reports whether no connection could be made.
func isDialError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func remoteAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "@"):
		return nil, errors.New("profile capture: the address (not shown) holds a user or a password: " +
			"want http://HOST:PORT/debug/pprof")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("profile capture: %q: want http://HOST:PORT/debug/pprof", address)
	case u.Path == "" || u.Path == "/":
		u.Path = "/debug/pprof" // the default of net/http/pprof
	}
	u.Path, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", ""
	return u, nil
}

type remote struct {
	client *http.Client
	base   *url.URL
	cfg    RemoteConfig

	giveUp    context.CancelCauseFunc // cancels all requests, and kinds that still wait
	immediate atomic.Int32            // kinds that are requested at once and haven't failed
}

// take captures one kind and writes its file.
func (r *remote) take(ctx context.Context, k profiles.Kind, dir string, repetition int) (profiles.File, error) {
	fail := func(err error) (profiles.File, error) {
		return profiles.File{}, &RemoteError{r.base.Redacted(), string(k), err}
	}
	name, query := string(k), url.Values{}
	switch seconds := strconv.Itoa(int(r.cfg.Duration.Round(time.Second).Seconds())); k {
	case profiles.CPU:
		name = "profile"
		query.Set("seconds", seconds)
	case profiles.Heap:
		// What is live at the end, as Capture has it.
		if err := wait(ctx, r.cfg.Duration); err != nil {
			return fail(err)
		}
		query.Set("gc", "1")
	case profiles.Goroutine: // in the middle, while the load runs
		if err := wait(ctx, r.cfg.Duration/2); err != nil {
			return fail(err)
		}
	default:
		query.Set("seconds", seconds) // the difference over that time
	}
	data, err := r.get(ctx, name, query)
	if err != nil {
		return fail(err)
	}
	p, err := profiles.Decode(data, profiles.MaxSize)
	if err != nil {
		return fail(err)
	}
	if err := profiles.KeepColumns(p, k); err != nil {
		return fail(err)
	}
	if err := profiles.CheckSymbols(p); err != nil {
		return fail(err)
	}
	profiles.KeepNames(p)
	p.Comments = append(p.Comments, profiles.Comments(r.cfg.Labels)...)
	file, err := profiles.Write(dir, k, repetition, p)
	if err != nil {
		return fail(err)
	}
	return file, nil
}

func (r *remote) trace(ctx context.Context, file string) error {
	lasts := min(remoteTrace, r.cfg.Duration)
	data, err := r.get(ctx, "trace", url.Values{"seconds": {strconv.FormatFloat(lasts.Seconds(), 'f', -1, 64)}})
	if err == nil {
		err = writeTrace(file, data)
	}
	if err != nil {
		return &RemoteError{r.base.Redacted(), "trace", err}
	}
	return nil
}

// get requests a page, of at most [profiles.MaxSize] bytes.
func (r *remote) get(ctx context.Context, name string, query url.Values) (data []byte, err error) {
	u := *r.base
	u.Path, u.RawQuery = path.Join(u.Path, name), query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if r.cfg.Authorization != "" {
		req.Header.Set("Authorization", r.cfg.Authorization)
	}
	resp, err := r.client.Do(req)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // err only says that the request was canceled, the cause says why
	}
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // RemoteError has the address already
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, fmt.Errorf("it answers %s: %s", resp.Status, strings.Join(strings.Fields(string(text)), " "))
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, profiles.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("its answer is incomplete: %w", err)
	}
	return data, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
