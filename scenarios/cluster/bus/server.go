package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/fleetmark/fleetmark/internal/scratch"
)

// The bounds of an embedded server.
const (
	maxConnections   = 8192
	maxSubscriptions = 4096              // of a connection
	maxPending       = 16 << 20          // bytes that a connection is behind before it is closed
	defaultMemory    = int64(256) << 20  // bytes
	defaultStore     = int64(1024) << 20 // bytes
	handshakeSeconds = 5.0
	pingEvery        = 5 * time.Second // two without an answer end a connection
	syncEvery        = 10 * time.Second
	readyWithin      = 30 * time.Second
)

// The names in a store's directory.
const (
	lockFile      = "fleetmark-bus.lock"
	jetstreamName = server.JetStreamStoreDir
)

// ServerOptions says where a server listens, whom it trusts and what it may store. The zero value
// is a server on [DefaultAddress] that trusts every program of this machine.
type ServerOptions struct {
	// Listen is the address, HOST:PORT. Port 0 takes a free port. An address other than a loopback
	// one needs Keys. Empty means DefaultAddress.
	Listen string

	// Keys is a directory with the files that Bundle(Controller) names. Clients then need keys of
	// the same set. Nobody else learns more than the names in the server's certificate, not even
	// that this is NATS. Empty means no keys.
	Keys string

	// Token is what clients must present to a server without keys. Empty means nothing.
	Token string

	// Store is the directory that streams are kept in. Only one server uses a directory at a time.
	// Empty means a temporary directory.
	Store string

	// KeepStore lets the streams stay in Store when the server is closed, so that the next server
	// with this directory has them. Without it Close removes them. Those of a killed server stay.
	KeepStore bool

	MaxMemory int64 // of streams in memory, in bytes; 0 means 256 MiB
	MaxStore  int64 // of streams in Store, in bytes; 0 means 1 GiB

	// Log receives the server's messages, one a line, in one Write each. Nil means nobody.
	Log io.Writer
}

// A Server is a NATS server with JetStream in this process. Close ends it.
type Server struct {
	options ServerOptions
	nats    *server.Server
	address string
	log     *serverLog
	store   *store
	close   func() error
}

// Serve starts a server and returns when it takes connections.
func Serve(o ServerOptions) (*Server, error) {
	if o.Listen == "" {
		o.Listen = DefaultAddress
	}
	host, port, err := splitAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	if o.Keys == "" && !isLoopback(host) {
		return nil, fmt.Errorf("address %s: a server listens only on loopback without keys: "+
			"make a set with `fleetmark cluster keys DIR`, and give --keys DIR", o.Listen)
	}
	if o.MaxMemory < 0 || o.MaxStore < 0 {
		return nil, fmt.Errorf("a server's memory of %d and store of %d bytes: want none below 0", o.MaxMemory, o.MaxStore)
	}
	settings, err := serverSettings(o, host, port)
	if err != nil {
		return nil, err
	}
	if err := mayListen(o.Listen); err != nil {
		return nil, err
	}
	kept, err := openStore(o.Store, o.KeepStore)
	if err != nil {
		return nil, err
	}
	settings.StoreDir = kept.path
	s := &Server{options: o, store: kept, log: &serverLog{w: o.Log}}
	s.close = sync.OnceValue(s.shutdown)
	s.nats, err = server.NewServer(settings)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("NATS server on %s: %w", o.Listen, err), kept.close())
	}
	s.nats.SetLogger(s.log, false, false)
	s.nats.Start()
	if err := s.log.fatal(); err != nil {
		return nil, errors.Join(fmt.Errorf("NATS server on %s: %w", o.Listen, err), s.Close())
	}
	if !s.nats.ReadyForConnections(readyWithin) || !s.nats.JetStreamEnabled() {
		return nil, errors.Join(fmt.Errorf("NATS server on %s wasn't ready within %v", o.Listen, readyWithin), s.Close())
	}
	s.address = s.nats.Addr().String()
	return s, nil
}

// serverSettings returns the options of the embedded server. Every default that opens or fills
// something is replaced.
func serverSettings(o ServerOptions, host string, port int) (*server.Options, error) {
	s := &server.Options{
		ServerName:         "fleetmark",
		Host:               host,
		Port:               port,
		NoSigs:             true,
		NoLog:              true,
		MaxConn:            maxConnections,
		MaxSubs:            maxSubscriptions,
		MaxPayload:         MaxPayload,
		MaxPending:         maxPending,
		MaxClosedClients:   1, // a list that only the monitoring port shows
		PingInterval:       pingEvery,
		MaxPingsOut:        2,
		TLSTimeout:         handshakeSeconds,
		AuthTimeout:        handshakeSeconds,
		JetStream:          true,
		JetStreamMaxMemory: orDefault(o.MaxMemory, defaultMemory),
		JetStreamMaxStore:  orDefault(o.MaxStore, defaultStore),
		SyncInterval:       syncEvery,
		// Clients keep to the address that they were given: it is the one in the certificate.
		Cluster:                server.ClusterOpts{NoAdvertise: true},
		DisableJetStreamBanner: true,
	}
	if host == "" {
		s.Host = "::"
	}
	if port == 0 {
		s.Port = server.RANDOM_PORT
	}
	if o.Keys == "" {
		s.Authorization = o.Token
		return s, nil
	}
	if o.Token != "" {
		return nil, errors.New("a server has keys or a token: give one of them")
	}
	certificate, authority, err := loadCertificate(o.Keys, "server", time.Now())
	if err != nil {
		return nil, err
	}
	s.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientCAs:    authority,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS13,
	}
	s.TLSHandshakeFirst = true
	for _, r := range []Role{Controller, Agent} {
		public, err := readPublic(o.Keys, r)
		if err != nil {
			return nil, err
		}
		s.Nkeys = append(s.Nkeys, &server.NkeyUser{Nkey: public, Permissions: permissions(r)})
	}
	return s, nil
}

// mayListen returns the system's error if an address can't be listened on, in one line. The server
// itself reports such an error only to its log.
func mayListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l.Close()
	}
	var cause *os.SyscallError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return fmt.Errorf("address %s can't be listened on: %w: end what has it, or give another address", address, err)
}

// Addr returns the address that the server listens on, HOST:PORT, with the port that was taken.
func (s *Server) Addr() string { return s.address }

// URL returns the server's URL for [ConnectOptions]. If the server listens on all addresses of the
// machine, its host is the loopback address; other machines replace it.
func (s *Server) URL() string {
	scheme := "nats"
	if s.options.Keys != "" {
		scheme = "tls"
	}
	host, port, err := net.SplitHostPort(s.Addr())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return scheme + "://" + net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + "://" + s.Addr()
}

// Connect returns a connection of this process to the server, without the network. With keys it
// needs the role's key in ServerOptions.Keys.
func (s *Server) Connect(ctx context.Context, o ConnectOptions) (*nats.Conn, error) {
	o.URL, o.Keys, o.Creds, o.Token = s.URL(), s.options.Keys, "", s.options.Token
	return connect(ctx, o, s.nats)
}

// Close ends the server and its connections, waits for both, and removes the streams from the
// store, unless they are to be kept. Further calls return the result of the first.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	return s.store.close()
}

// A store is a directory that this process alone keeps streams in.
type store struct {
	path  string
	close func() error
}

// openStore makes the directory if there is none and locks it. An empty path is a temporary
// directory. The store's close removes what was made, unless keep is set.
func openStore(path string, keep bool) (*store, error) {
	if path == "" {
		dir, err := scratch.New("", "fleetmark-bus")
		if err != nil {
			return nil, err
		}
		return &store{dir.Path, dir.Close}, nil
	}
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("store %s: %w: give a directory that can be written", path, err)
	}
	lock := flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))
	switch free, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("store %s can't be locked: %w: give a directory that can be written", path, err)
	case !free:
		return nil, fmt.Errorf("store %s is in use by another server: end that, or give another directory", path)
	}
	return &store{path, func() error {
		if keep {
			return lock.Unlock()
		}
		// The lock is held while the streams go, so that no other server begins with half of them.
		err := os.RemoveAll(filepath.Join(path, jetstreamName))
		err = errors.Join(err, lock.Unlock())
		if isNew {
			// A file of somebody else keeps the directory, and so does the lock file of a server that
			// has come since.
			if other := flock.New(lock.Path()); tryLock(other) {
				_ = os.Remove(lock.Path())
				_ = other.Unlock()
				_ = os.Remove(path)
			}
		}
		return err
	}}, nil
}

// tryLock reports whether it took the lock.
func tryLock(l *flock.Flock) bool {
	free, err := l.TryLock()
	return free && err == nil
}

func orDefault(n, fallback int64) int64 {
	if n == 0 {
		return fallback
	}
	return n
}

// A serverLog writes the messages of the embedded server to w, and keeps the first fatal one.
type serverLog struct {
	mu    sync.Mutex
	w     io.Writer // or nil
	first error     // that ended the server
}

func (l *serverLog) write(level, format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w != nil {
		// A log that can't be written is no reason to end a run.
		_, _ = io.WriteString(l.w, level+": "+strconv.QuoteToGraphic(fmt.Sprintf(format, v...))+"\n")
	}
}

func (l *serverLog) Noticef(format string, v ...any) { l.write("nats", format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.write("nats warning", format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.write("nats error", format, v) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.write("nats error", format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = fmt.Errorf(format, v...)
	}
}

// fatal returns the first message that ended the server, or nil.
func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}
