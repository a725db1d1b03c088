package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The bounds of a connection.
const (
	connectWithin   = 5 * time.Second // dial, and then handshake
	askWithin       = 5 * time.Second // the question whether there is JetStream
	clientPing      = 2 * time.Second // two without an answer are a lost connection
	reconnectBuffer = 8 << 20         // bytes that are kept while there is no connection
	minDelay        = 100 * time.Millisecond
	maxDelay        = time.Second
)

// ConnectOptions says to which server a connection goes, and as whom. At most one of Keys, Creds
// and Token signs in; Keys together with Creds gives the certificates, and Creds signs in.
type ConnectOptions struct {
	// URL is nats://HOST:PORT or tls://HOST:PORT, or several of one cluster, separated by commas. A
	// host that isn't this machine needs Keys, or Creds and the scheme tls.
	URL string

	Keys  string // directory with the files of Bundle(Role)
	Creds string // .creds file of a cluster that others run
	Token string // of a server on this machine
	Role  Role
	Name  string // shown in the server's lists

	// Wait lets Connect try until ctx ends while nothing answers at URL. Errors that don't go away by
	// themselves, such as a wrong key, end it at once.
	Wait bool

	// OnState is told when the connection was lost and when it is back; with Wait, it is also told why
	// there is none yet, once for each new reason. The first success is Connect's return. Calls come
	// one after another, and must return soon.
	OnState func(connected bool, err error)

	// OnError is told errors that no call returns, such as why the server forbids a publish: that call
	// itself only times out.
	OnError func(error)
}

// Connect connects to a server that has JetStream. The connection reconnects for ever, after 100 ms
// to 1 s; the caller closes it. Messages of up to 8 MiB wait for a lost connection.
//
// The error says in one line what is wrong and what to do, and wraps ctx's if that ended.
func Connect(ctx context.Context, o ConnectOptions) (*nats.Conn, error) {
	return connect(ctx, o, nil)
}

// connect connects over the network, or to a server in this process.
func connect(ctx context.Context, o ConnectOptions, inProcess nats.InProcessConnProvider) (*nats.Conn, error) {
	if err := o.Role.check(); err != nil {
		return nil, err
	}
	d := &dialing{options: o}
	options, err := d.natsOptions(inProcess)
	if err != nil {
		return nil, err
	}
	var told string
	for attempt := 1; ; attempt++ {
		nc, err := d.once(ctx, options, inProcess != nil)
		if err == nil {
			return nc, nil
		}
		var waiting *notThere
		if !o.Wait || !errors.As(err, &waiting) {
			return nil, err
		}
		if o.OnState != nil && err.Error() != told {
			told = err.Error()
			o.OnState(false, err)
		}
		delay := time.NewTimer(reconnectDelay(attempt))
		select {
		case <-ctx.Done():
			delay.Stop()
			return nil, fmt.Errorf("%w; waited for it: %w", err, context.Cause(ctx))
		case <-delay.C:
		}
	}
}

// reconnectDelay returns how long to wait after the given number of failed attempts: at least 100
// ms, at most 1 s, at random so that agents don't come back all at once.
func reconnectDelay(attempts int) time.Duration {
	bound := maxDelay
	if attempts < 5 {
		bound = min(maxDelay, minDelay<<max(attempts, 1))
	}
	return minDelay + rand.N(bound-minDelay)
}

// A dialing is one call of connect: the options, and what went wrong where nats.go doesn't tell.
type dialing struct {
	options ConnectOptions
	where   string // the URL as the user gave it
	secure  bool   // over TLS

	mu    sync.Mutex
	ctx   context.Context // of the attempt; nil when it has ended
	stop  []func() bool   // what the attempt's connections wait for
	cause error           // of the last dial
	async error           // the last error that no call returned
}

// natsOptions checks the options and returns those of nats.go.
func (d *dialing) natsOptions(inProcess nats.InProcessConnProvider) ([]nats.Option, error) {
	o := d.options
	options := []nats.Option{
		nats.Name(o.Name),
		nats.CustomInboxPrefix(inboxPrefix(o.Role)),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(reconnectBuffer),
		nats.PingInterval(clientPing),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(connectWithin),
		nats.SkipHostLookup(), // the dialer looks up names, and ends with ctx
		nats.NoCallbacksAfterClientClose(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { d.state(false, d.lost(err)) }),
		nats.ReconnectHandler(func(*nats.Conn) { d.state(true, nil) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { d.asyncError(err) }),
	}
	if inProcess != nil {
		d.where = "the server of this process"
		options = append(options, nats.InProcessServer(inProcess))
	} else {
		if err := d.checkURL(); err != nil {
			return nil, err
		}
		options = append(options, nats.SetCustomDialer(d))
		if o.Keys != "" {
			certificate, authority, err := loadCertificate(o.Keys, string(o.Role), time.Now())
			if err != nil {
				return nil, err
			}
			options = append(options, nats.TLSHandshakeFirst(), nats.Secure(&tls.Config{
				Certificates: []tls.Certificate{certificate},
				RootCAs:      authority,
				MinVersion:   tls.VersionTLS13,
			}))
		}
		if !d.secure {
			// The other servers of a cluster aren't on this machine.
			options = append(options, nats.IgnoreDiscoveredServers())
		}
	}
	credentials, err := d.credentials()
	return append(options, credentials...), err
}

// credentials returns the options that sign in.
func (d *dialing) credentials() ([]nats.Option, error) {
	o := d.options
	switch {
	case o.Token != "" && (o.Keys != "" || o.Creds != ""):
		return nil, errors.New("a connection has a token, or keys or creds: give one of them")
	case o.Token != "":
		return []nats.Option{nats.Token(o.Token)}, nil
	case o.Creds != "":
		f, err := os.Open(o.Creds)
		if err != nil {
			return nil, fmt.Errorf("creds: %w: give the .creds file of a user of %s", err, d.where)
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		return []nats.Option{nats.UserCredentials(o.Creds)}, nil
	case o.Keys != "":
		pair, err := readSeed(o.Keys, o.Role)
		if err != nil {
			return nil, err
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, err
		}
		return []nats.Option{nats.Nkey(public, pair.Sign)}, nil
	}
	return nil, nil
}

// checkURL checks the URLs, and sets where and secure. An error shows no password of a URL.
func (d *dialing) checkURL() error {
	o := d.options
	if o.URL == "" {
		return errors.New("no URL of a NATS server: give one such as nats://" + DefaultAddress)
	}
	var all []string
	d.secure = o.Keys != ""
	for text := range strings.SplitSeq(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			return errors.New("a URL of a NATS server can't be read: want one such as nats://" + DefaultAddress)
		}
		shown := u.Redacted()
		if u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fmt.Errorf("URL %q: want nats://HOST:PORT or tls://HOST:PORT", shown)
		}
		if u.User != nil {
			return fmt.Errorf("URL %q holds a user or a token, which would be seen in lists of processes: "+
				"give a .creds file", shown)
		}
		secure := o.Keys != "" || u.Scheme == "tls"
		if !isLoopback(u.Hostname()) {
			if o.Keys == "" && o.Creds == "" {
				return fmt.Errorf("%s isn't this machine, and there are no credentials: "+
					"give --keys DIR (see `fleetmark cluster keys`), or --creds FILE", shown)
			}
			if !secure {
				return fmt.Errorf("%s isn't this machine, and its connections aren't encrypted: "+
					"give tls://%s, or --keys DIR", shown, u.Host)
			}
		}
		d.secure = d.secure || secure // nats.go encrypts all of them if one wants it
		all = append(all, shown)
	}
	d.where = strings.Join(all, ",")
	return nil
}

// once makes one attempt.
func (d *dialing) once(ctx context.Context, options []nats.Option, inProcess bool) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", d.where, context.Cause(ctx))
	}
	d.begin(ctx)
	defer d.end()
	address := d.options.URL
	if inProcess {
		address = "" // its scheme would ask for TLS
	}
	nc, err := nats.Connect(address, options...)
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	if err := d.hasJetStream(ctx, nc); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// hasJetStream returns an error unless the server has JetStream for this account.
func (d *dialing) hasJetStream(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_, err = js.AccountInfo(ask)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("connect to %s: %w", d.where, context.Cause(ctx))
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s has no JetStream: start nats-server with --jetstream: %w", d.where, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%s has no JetStream for this account: enable it there: %w", d.where, err)
	}
	if forbidden := d.lastAsync(); forbidden != nil {
		return fmt.Errorf("%s: is there JetStream? %w", d.where, forbidden)
	}
	return &notThere{fmt.Errorf("%s didn't say within %v whether it has JetStream: %w", d.where, askWithin, err)}
}

// A notThere is an error that may go away by itself: the server hasn't started, or is starting.
type notThere struct{ error }

func (e *notThere) Unwrap() error { return e.error }

// begin sets the context of the attempt that begins.
func (d *dialing) begin(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx, d.cause, d.async = ctx, nil, nil
}

// end ends the attempt: its context doesn't close the connection any more.
func (d *dialing) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.stop {
		stop()
	}
	d.ctx, d.stop, d.cause, d.async = nil, nil, nil, nil
}

// Dial opens a connection for nats.go and keeps the error, which that hides. It ends with the
// attempt's context; and so does the connection, if it isn't established by then.
func (d *dialing) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.ctx
	d.mu.Unlock()
	first := ctx != nil
	if !first {
		ctx = context.Background() // a reconnect: connectWithin ends it
	}
	c, err := (&net.Dialer{Timeout: connectWithin}).DialContext(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cause = err
	if err == nil && first {
		d.stop = append(d.stop, context.AfterFunc(ctx, func() { _ = c.Close() }))
	}
	return c, err
}

func (d *dialing) lastDial() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cause
}

func (d *dialing) lastAsync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.async
}

func (d *dialing) asyncError(err error) {
	err = d.explainAsync(err)
	d.mu.Lock()
	d.async = err
	d.mu.Unlock()
	if d.options.OnError != nil {
		d.options.OnError(err)
	}
}

func (d *dialing) state(connected bool, err error) {
	if d.options.OnState != nil {
		d.options.OnState(connected, err)
	}
}
