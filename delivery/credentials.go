package delivery

import (
	"container/list"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// Credentials are what a client shows to one device and expects from it, in addition to what Config
// says for all devices. Config.ForDevice returns them. A zero field takes what Config says.
//
// No verb of fmt and no handler of log/slog shows their contents.
type Credentials struct {
	// Header is sent with every request to this device. A name that Config.Header has
	// too is sent with these values alone. Names that the package sets itself are refused.
	Header http.Header
	// Certificates are shown to a device that asks for one (mTLS).
	Certificates []tls.Certificate
	// ServerName is the name that the device's certificate must be for, such as its
	// serial number where its address is what DHCP gave it. It is compared with the
	// certificate's DNS names (RFC 6125), and sent as SNI (RFC 6066 §3). Default:
	// Config.TLS.ServerName, or the host of the device's address.
	ServerName string
	// RootCAs are the authorities that may have issued the device's certificate: one
	// that holds the device's own certificate pins it.
	RootCAs *x509.CertPool
}

// String names the headers and hides everything else.
func (c Credentials) String() string {
	s := "delivery.Credentials{"
	for name := range exchange.SortedHeader(c.Header) {
		s += name + "=(hidden) "
	}
	return s + fmt.Sprintf("certificates=%d serverName=%q}", len(c.Certificates), check.Truncate(c.ServerName))
}

// Format writes String for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { formatted(f, c.String()) }

// LogValue returns String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

const maxServerName = 253 // bytes of a DNS name (RFC 1035 §2.3.4)

// validate returns an error with a line for each mistake, or nil if there is none. It shows no
// values.
func (c Credentials) validate() error {
	errs := validateHeader(c.Header)
	if len(c.ServerName) > maxServerName || !check.IsHeaderValue(c.ServerName) {
		errs = append(errs, fmt.Errorf("delivery: server name %q: want at most %d bytes without control characters", check.Truncate(c.ServerName), maxServerName))
	}
	for i, cert := range c.Certificates {
		if len(cert.Certificate) == 0 || cert.PrivateKey == nil {
			errs = append(errs, fmt.Errorf("delivery: certificate %d: want one with its private key", i+1))
		}
	}
	return errors.Join(errs...)
}

// isZero reports whether the device has nothing of its own.
func (c Credentials) isZero() bool {
	return len(c.Header) == 0 && c.ServerName == "" && c.RootCAs == nil && len(c.Certificates) == 0
}

// identity is a set of credentials made ready for use. Equal credentials share one identity, and
// each connection and TLS session belongs to one. So no request goes over a connection that was
// opened with other credentials, or to a device of another name.
type identity struct {
	exchange.Identity
	key     identityKey
	roots   *x509.CertPool
	secrets []string // no error may show them
}

// identityKey finds an identity: by a hash of everything but its RootCAs, which can only be
// compared, and by its index among the identities that differ only in their RootCAs.
type identityKey struct {
	sum   [sha256.Size]byte
	place int
}

// maxPlaces bounds how many identities may differ in their RootCAs alone.
const maxPlaces = 16

// maxIdentities bounds how many sets of credentials are kept ready. The one that was unused longest
// is forgotten; its idle connections are then not used again, and close when they are too old.
const maxIdentities = 4096

// identities finds the identity of a device. It is safe for concurrent use.
type identities struct {
	cfg Config // with defaults

	mu     sync.Mutex
	byKey  map[identityKey]*list.Element // of *identity
	recent list.List                     // the one used last is in front
}

func newIdentities(cfg Config) *identities {
	return &identities{cfg: cfg, byKey: map[identityKey]*list.Element{}}
}

var errCredentials = errors.New("credentials for the device")

// of returns the identity of a device, or nil if it has no credentials of its own.
func (i *identities) of(ctx context.Context, d Device) (*identity, error) {
	given, err := i.cfg.ForDevice(ctx, d)
	if err == nil {
		err = given.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	if given.isZero() {
		return nil, nil
	}
	key := identityKey{sum: given.sum()}
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.byKey[key]
	for ; e != nil; e = i.byKey[key] {
		if id, ok := e.Value.(*identity); ok && id.roots.Equal(given.RootCAs) {
			i.recent.MoveToFront(e)
			return id, nil
		}
		if key.place++; key.place == maxPlaces {
			break
		}
	}
	if e != nil {
		i.forget(e)
	}
	id := i.prepare(given, key)
	i.byKey[key] = i.recent.PushFront(id)
	if i.recent.Len() > maxIdentities {
		i.forget(i.recent.Back())
	}
	return id, nil
}

func (i *identities) forget(e *list.Element) {
	if id, ok := i.recent.Remove(e).(*identity); ok {
		delete(i.byKey, id.key)
	}
}

// prepare returns an identity of the given credentials. It copies what the caller might change.
func (i *identities) prepare(given Credentials, key identityKey) *identity {
	header, conf := i.cfg.Header.Clone(), i.cfg.TLS.Clone()
	if header == nil {
		header = http.Header{}
	}
	own := map[string]bool{}
	for name := range given.Header {
		own[http.CanonicalHeaderKey(name)] = true
	}
	maps.DeleteFunc(header, func(name string, _ []string) bool { return own[http.CanonicalHeaderKey(name)] })
	maps.Copy(header, given.Header.Clone())
	if given.Certificates != nil {
		conf.Certificates, conf.GetClientCertificate = given.Certificates, nil
	}
	if given.ServerName != "" {
		conf.ServerName = given.ServerName
	}
	if given.RootCAs != nil {
		conf.RootCAs = given.RootCAs
	}
	if cache := conf.ClientSessionCache; cache != nil {
		conf.ClientSessionCache = identitySessions{cache, given.session()}
	}
	return &identity{
		Identity: exchange.Identity{Header: exchange.NewCommonHeader(header), TLS: conf},
		key:      key, roots: given.RootCAs, secrets: secretsOf(header),
	}
}

// sum returns a hash of everything but the RootCAs, which can only be compared.
func (c Credentials) sum() [sha256.Size]byte {
	h := sha256.New()
	c.hashPeers(h)
	for name, values := range exchange.SortedHeader(c.Header) {
		hashText(h, name)
		hashLength(h, len(values))
		for _, v := range values {
			hashText(h, v)
		}
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// session returns a text of what a TLS session depends on: who the device is and who the client is.
func (c Credentials) session() string {
	h := sha256.New()
	c.hashPeers(h)
	return fmt.Sprintf("%x", h.Sum(nil))
}

func (c Credentials) hashPeers(h hash.Hash) {
	hashText(h, c.ServerName)
	hashLength(h, len(c.Certificates))
	for _, cert := range c.Certificates {
		hashLength(h, len(cert.Certificate))
		for _, der := range cert.Certificate {
			hashText(h, string(der))
		}
	}
}

// hashText hashes a text with its length before it, so that no two sequences of texts hash alike.
func hashText(h hash.Hash, s string) {
	hashLength(h, len(s))
	_, _ = io.WriteString(h, s) // a hash never fails to write
}

func hashLength(h hash.Hash, n int) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// classOfCredentials returns the class of a failure to get a device's credentials.
func classOfCredentials(ctx context.Context) Class {
	if ctx.Err() != nil {
		return classOfContext(ctx)
	}
	return ClassPermanent
}

// secretsFor returns what an error about an exchange must not show.
func (c *Client) secretsFor(s *session) []string {
	if s.identity != nil {
		return s.identity.secrets
	}
	return c.secrets
}

// defaultTLSSessions is how many sessions are kept by default. Each holds the device's
// certificates, some KiB.
const defaultTLSSessions = 1024

// keepSessions gives a TLS configuration the cache that resumes sessions (RFC 8446 §2.2,
// RFC 5077), unless it has one or the caller wants none. A resumed handshake doesn't call
// VerifyPeerCertificate, so where the caller verifies by that alone none is resumed.
func keepSessions(t *tls.Config, most int) {
	if t.ClientSessionCache != nil || most < 0 || t.VerifyPeerCertificate != nil && t.VerifyConnection == nil {
		return
	}
	t.ClientSessionCache = tls.NewLRUClientSessionCache(most)
}

// identitySessions keeps the sessions of an identity apart from all others, because a session
// implies who the client is, and that the device was verified.
type identitySessions struct {
	tls.ClientSessionCache
	of string
}

func (s identitySessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(key + " " + s.of)
}

func (s identitySessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(key+" "+s.of, state)
}
