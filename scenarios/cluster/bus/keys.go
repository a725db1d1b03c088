package bus

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// How long a set of keys may be valid.
const (
	DefaultKeyLife = 90 * 24 * time.Hour
	MaxKeyLife     = 2 * 365 * 24 * time.Hour
	minKeyLife     = time.Hour
)

// clockSkew is how far the clocks of machines may be behind the one that made the keys.
const clockSkew = 5 * time.Minute

// KeyOptions says what a set of keys is for. The zero value is a set for this machine alone.
type KeyOptions struct {
	// Hosts are the names and IP addresses under which agents reach the server. A name may begin
	// with "*.", which stands for one label. localhost and its addresses are always added.
	Hosts []string

	For    time.Duration // validity: from an hour to MaxKeyLife; 0 means DefaultKeyLife
	Now    time.Time     // when it begins; zero means now
	Random io.Reader     // nil means crypto/rand
}

// Bundle returns the names of those files of [MakeKeys] that a machine of the role needs. The
// authority's own key, ca.key, is needed on no machine; keep it where the keys were made, or remove
// it.
//
//   - Controller: for a controller with its embedded server; and for one with --nats, which doesn't
//     read the server's files.
//   - Agent: for an agent.
//   - NATS: for a nats-server of the user's own, which is started in their directory.
func Bundle(r Role) []string {
	switch r {
	case Controller:
		return []string{
			"ca.pem", "controller.pem", "controller.key", "controller.nk",
			"server.pem", "server.key", "controller.pub", "agent.pub",
		}
	case Agent:
		return []string{"ca.pem", "agent.pem", "agent.key", "agent.nk"}
	case NATS:
		return []string{"ca.pem", "server.pem", "server.key", "nats.conf"}
	}
	return nil
}

// isSecret reports whether nobody but its owner may read the file.
func isSecret(name string) bool {
	return strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".nk")
}

// MakeKeys makes a set of keys in dir:
//
//	ca.pem, ca.key                   the authority that signs the certificates
//	server.pem, server.key           the server's certificate
//	controller.pem, controller.key   the controller's certificate
//	agent.pem, agent.key             the certificate of all agents
//	controller.nk, agent.nk          seeds of nkeys, with which the roles sign
//	controller.pub, agent.pub        the public nkeys, by which a server knows the roles
//	nats.conf                        the configuration of a nats-server with the same roles
//
// It makes dir with mode 0700 if there is none. The keys and seeds have mode 0600. It never
// replaces a file: if one of them exists, it writes none and returns an error. See [Bundle] for
// which machine needs which files.
func MakeKeys(dir string, o KeyOptions) error {
	if o.For == 0 {
		o.For = DefaultKeyLife
	}
	if o.For < minKeyLife || o.For > MaxKeyLife {
		return fmt.Errorf("keys for %v: want from %v to %v", o.For, minKeyLife, MaxKeyLife)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	names, addresses, err := splitHosts(o.Hosts)
	if err != nil {
		return err
	}
	m := &keyMaker{options: o, files: map[string][]byte{}}
	if err := m.make(names, addresses); err != nil {
		return err
	}
	return writeNew(dir, m.files)
}

// splitHosts checks the hosts and returns their names and their addresses, with this machine's own.
func splitHosts(hosts []string) (names []string, addresses []net.IP, err error) {
	label := `[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?`
	name := regexp.MustCompile(`^(\*\.)?` + label + `(\.` + label + `)*$`)
	for _, h := range append([]string{"localhost", "127.0.0.1", "::1"}, hosts...) {
		ip := net.ParseIP(h)
		switch {
		case ip != nil && ip.IsUnspecified():
			return nil, nil, fmt.Errorf("host %q: agents can't connect to it: want a name or an IP address "+
				"under which they reach the server", h)
		case ip != nil:
			if !slices.ContainsFunc(addresses, ip.Equal) {
				addresses = append(addresses, ip)
			}
		case len(h) > 253 || !name.MatchString(h):
			return nil, nil, fmt.Errorf("host %q: want a name or an IP address, without a port", h)
		case !slices.Contains(names, h):
			names = append(names, h)
		}
	}
	return names, addresses, nil
}

// A keyMaker makes the files of one set.
type keyMaker struct {
	options KeyOptions
	files   map[string][]byte

	authority *x509.Certificate
	signer    ed25519.PrivateKey
}

func (m *keyMaker) make(names []string, addresses []net.IP) error {
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "authority"},
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	if err := m.certify("ca", ca); err != nil {
		return err
	}
	if err := m.certify("server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "server"},
		DNSNames:    names,
		IPAddresses: addresses,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return err
	}
	public := map[Role]string{}
	for _, r := range []Role{Controller, Agent} {
		if err := m.certify(string(r), &x509.Certificate{
			Subject:     pkix.Name{CommonName: string(r)},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}); err != nil {
			return err
		}
		var err error
		if public[r], err = m.nkey(r); err != nil {
			return err
		}
	}
	m.files["nats.conf"] = natsConf(public)
	return nil
}

// certify makes a key and a certificate for it, NAME.key and NAME.pem. The first certificate is the
// authority, which signs itself and all others.
func (m *keyMaker) certify(name string, c *x509.Certificate) error {
	seed := make([]byte, ed25519.SeedSize)
	serial := make([]byte, 16)
	if _, err := io.ReadFull(m.options.Random, seed); err != nil {
		return fmt.Errorf("random numbers for %s.key: %w", name, err)
	}
	if _, err := io.ReadFull(m.options.Random, serial); err != nil {
		return fmt.Errorf("random numbers for %s.pem: %w", name, err)
	}
	serial[0] = serial[0]&0x7f | 1 // positive, and at most 20 bytes (RFC 5280, 4.1.2.2)
	key := ed25519.NewKeyFromSeed(seed)
	c.SerialNumber = new(big.Int).SetBytes(serial)
	c.NotBefore = m.options.Now.Add(-clockSkew)
	c.NotAfter = m.options.Now.Add(m.options.For)
	if m.authority == nil {
		m.authority, m.signer = c, key
	}
	der, err := x509.CreateCertificate(m.options.Random, c, m.authority, key.Public(), m.signer)
	if err != nil {
		return fmt.Errorf("certificate %s.pem: %w", name, err)
	}
	if c == m.authority {
		if m.authority, err = x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("certificate %s.pem: %w", name, err)
		}
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("key %s.key: %w", name, err)
	}
	m.files[name+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	m.files[name+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return nil
}

// nkey makes a role's seed and public key, and returns the latter.
func (m *keyMaker) nkey(r Role) (string, error) {
	raw := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(m.options.Random, raw); err != nil {
		return "", fmt.Errorf("random numbers for %s.nk: %w", r, err)
	}
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, raw)
	if err != nil {
		return "", fmt.Errorf("%s.nk: %w", r, err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", fmt.Errorf("%s.nk: %w", r, err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return "", fmt.Errorf("%s.pub: %w", r, err)
	}
	m.files[string(r)+".nk"] = append(seed, '\n')
	m.files[string(r)+".pub"] = []byte(public + "\n")
	return public, nil
}

// natsConf returns the configuration of a nats-server with the same certificates and roles.
func natsConf(public map[Role]string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# A nats-server for Fleetmark. Start it in the directory of this file, which holds
# ca.pem, server.pem and server.key:
#
#     nats-server --config nats.conf
#
# or include this file in a configuration of your own, with the whole paths of those files.

max_payload: %d
ping_interval: "%v"
ping_max: 2

tls {
  cert_file: "server.pem"
  key_file: "server.key"
  ca_file: "ca.pem"
  verify: true           # clients need a certificate of the same authority
  handshake_first: true  # strangers learn nothing
  min_version: "1.3"
  timeout: %v
}

jetstream {
  store_dir: "jetstream"
  max_memory_store: %d
  max_file_store: %d
}

accounts {
  FLEETMARK {
    jetstream: enabled
    users: [
`, MaxPayload, pingEvery, handshakeSeconds, defaultMemory, defaultStore)
	for _, r := range []Role{Controller, Agent} {
		g := grants(r)
		fmt.Fprintf(&b, `      { # %s
        nkey: %s
        permissions {
          publish: { allow: [
%s          ] }
          subscribe: { allow: [
%s          ] }
          allow_responses: { max: %d, expires: "%v" }
        }
      }
`, r, public[r], quotedLines(g.publish), quotedLines(g.subscribe), maxAnswers, answersWithin)
	}
	b.WriteString("    ]\n  }\n}\n")
	return b.Bytes()
}

func quotedLines(subjects []string) string {
	var b strings.Builder
	for _, s := range subjects {
		fmt.Fprintf(&b, "            %q\n", s)
	}
	return b.String()
}

// writeNew writes files into dir. If one of them exists, or can't be written, it leaves none.
func writeNew(dir string, files map[string][]byte) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keys in %s: %w", dir, err)
	}
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path, mode := filepath.Join(dir, name), fs.FileMode(0o644)
		if isSecret(name) {
			mode = 0o600
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists: keys are never replaced: give a directory without keys", path)
		}
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		made = append(made, path)
		_, err = f.Write(files[name])
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	return nil
}

// loadCertificate reads NAME.pem and NAME.key in dir, and the authority that both sides trust. It
// returns an error if one of the certificates isn't valid at the time now.
func loadCertificate(dir, name string, now time.Time) (tls.Certificate, *x509.CertPool, error) {
	fail := func(err error) (tls.Certificate, *x509.CertPool, error) {
		return tls.Certificate{}, nil, err
	}
	chain, err := readKeyFile(dir, name+".pem")
	if err != nil {
		return fail(err)
	}
	key, err := readKeyFile(dir, name+".key")
	if err != nil {
		return fail(err)
	}
	own, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fail(fmt.Errorf("%s and %s: %w: copy both again from where they were made",
			filepath.Join(dir, name+".pem"), name+".key", err))
	}
	text, err := readKeyFile(dir, "ca.pem")
	if err != nil {
		return fail(err)
	}
	authority, err := parseCertificate(text)
	if err != nil {
		return fail(fmt.Errorf("%s: %w: copy it again from where it was made", filepath.Join(dir, "ca.pem"), err))
	}
	for _, c := range []struct {
		file string
		*x509.Certificate
	}{{name + ".pem", own.Leaf}, {"ca.pem", authority}} {
		if err := checkTime(filepath.Join(dir, c.file), c.Certificate, now); err != nil {
			return fail(err)
		}
	}
	if err := own.Leaf.CheckSignatureFrom(authority); err != nil {
		return fail(fmt.Errorf("%s isn't signed by ca.pem beside it: they are of two sets of keys: copy the files of one",
			filepath.Join(dir, name+".pem")))
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return own, pool, nil
}

// timeLayout is the form of times in errors.
const timeLayout = "2006-01-02 15:04:05 MST"

// checkTime returns an error if a certificate isn't valid at the time now.
func checkTime(path string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("%s (%s) ended at %s: make a new set with `fleetmark cluster keys DIR`",
			path, c.Subject.CommonName, c.NotAfter.UTC().Format(timeLayout))
	case now.Before(c.NotBefore):
		return fmt.Errorf("%s (%s) begins at %s, and it is %s on this machine: set its clock",
			path, c.Subject.CommonName, c.NotBefore.UTC().Format(timeLayout), now.UTC().Format(timeLayout))
	}
	return nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// maxKeyFile is how long a file of keys may be, in bytes.
const maxKeyFile = 1 << 20

func readKeyFile(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s doesn't exist: copy it from where `fleetmark cluster keys` made it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%s has more than %d bytes: want a file that `fleetmark cluster keys` made", path, maxKeyFile)
	}
	return text, nil
}

// readPublic returns a role's public nkey.
func readPublic(dir string, r Role) (string, error) {
	text, err := readKeyFile(dir, string(r)+".pub")
	if err != nil {
		return "", err
	}
	public := strings.TrimSpace(string(text))
	if !nkeys.IsValidPublicUserKey(public) {
		return "", fmt.Errorf("%s holds no public nkey of a user: copy it again from where it was made",
			filepath.Join(dir, string(r)+".pub"))
	}
	return public, nil
}

// readSeed returns a role's pair of nkeys. Errors hold nothing of the file's content.
func readSeed(dir string, r Role) (nkeys.KeyPair, error) {
	text, err := readKeyFile(dir, string(r)+".nk")
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(text))
	clear(text)
	if err == nil {
		var public string
		if public, err = pair.PublicKey(); err == nil && nkeys.IsValidPublicUserKey(public) {
			return pair, nil
		}
	}
	return nil, fmt.Errorf("%s holds no nkey seed of a user: copy it again from where it was made",
		filepath.Join(dir, string(r)+".nk"))
}
