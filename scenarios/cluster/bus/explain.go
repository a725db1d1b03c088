package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"

	"github.com/nats-io/nats.go"
)

// explain turns an error of an attempt to connect into a line that says what to do.
func (d *dialing) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connect to %s: %w", d.where, context.Cause(ctx))
	}
	if errors.Is(err, nats.ErrNoServers) {
		if cause := d.lastDial(); cause != nil {
			err = cause
		}
	}
	if told := d.explainTLS(err); told != nil {
		return told
	}
	if told := d.explainSignIn(err); told != nil {
		return told
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &notThere{fmt.Errorf("%s: nothing listens there: start the controller or the NATS server, "+
			"or give another address: %w", d.where, syscall.ECONNREFUSED)}
	case errors.As(err, &dns):
		return &notThere{fmt.Errorf("%s: no address for %q: give another name, or add this one: %w", d.where, dns.Name, err)}
	case errors.Is(err, nats.ErrNoInfoReceived):
		return fmt.Errorf("%s isn't a NATS server: give the address of one: %w", d.where, err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &notThere{fmt.Errorf("%s closed the connection%s: %w", d.where, d.maybe(), err)}
	case errors.Is(err, nats.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return &notThere{fmt.Errorf("%s didn't answer within %v%s: %w", d.where, connectWithin, d.maybe(), err)}
	}
	return fmt.Errorf("connect to %s: %w", d.where, err)
}

// maybe returns the usual reason for silence.
func (d *dialing) maybe() string {
	if d.secure {
		return ": is it a NATS server with TLS?"
	}
	return ": is it a NATS server? One with keys wants --keys DIR"
}

// explainTLS explains the errors of handshakes. It returns nil for others.
func (d *dialing) explainTLS(err error) error {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError
	ca := "the system's authorities"
	if d.options.Keys != "" {
		ca = filepath.Join(d.options.Keys, "ca.pem")
	}
	switch {
	case errors.As(err, &record):
		return fmt.Errorf("%s doesn't speak TLS: give the address of a NATS server that does, such as a controller with keys: %w",
			d.where, err)
	case errors.As(err, &authority):
		return fmt.Errorf("%s has a certificate that %s doesn't vouch for: give the keys of the same set with --keys DIR: %w",
			d.where, ca, err)
	case errors.As(err, &host):
		return fmt.Errorf("%s has a certificate for other names: make keys with `fleetmark cluster keys DIR --host %s`: %w",
			d.where, host.Host, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Errorf("%s has a certificate (%s) valid from %s to %s: make a new set with `fleetmark cluster keys DIR`: %w",
			d.where, invalid.Cert.Subject.CommonName, invalid.Cert.NotBefore.UTC().Format(timeLayout),
			invalid.Cert.NotAfter.UTC().Format(timeLayout), err)
	case errors.As(err, &remote) && remote.Op == "remote error":
		if d.options.Keys == "" {
			return fmt.Errorf("%s wants a certificate: give --keys DIR: %w", d.where, err)
		}
		return fmt.Errorf("%s does not accept the certificate %s: copy the files of the set that the server has: %w",
			d.where, filepath.Join(d.options.Keys, string(d.options.Role)+".pem"), err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("%s doesn't speak TLS: give the address of a NATS server that does: %w", d.where, err)
	}
	return nil
}

// explainSignIn explains why a server refused who the client says it is. It returns nil for other
// errors.
func (d *dialing) explainSignIn(err error) error {
	o := d.options
	switch {
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return fmt.Errorf("%s has no nkeys: start it with the nats.conf that `fleetmark cluster keys` made: %w", d.where, err)
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("%s: the credentials have expired: get new ones: %w", d.where, err)
	case errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%s: the credentials were revoked: get new ones: %w", d.where, err)
	case !errors.Is(err, nats.ErrAuthorization):
		return nil
	case o.Creds != "":
		return fmt.Errorf("%s does not accept the credentials in %s: give those of a user of this cluster: %w",
			d.where, o.Creds, err)
	case o.Keys != "":
		return fmt.Errorf("%s does not accept this key, %s: copy the files of the set that the server has: %w",
			d.where, filepath.Join(o.Keys, string(o.Role)+".nk"), err)
	case o.Token != "":
		return fmt.Errorf("%s does not accept this token: give the one that the server was started with: %w", d.where, err)
	}
	return fmt.Errorf("%s wants credentials: give the server's token, --keys DIR or --creds FILE: %w", d.where, err)
}

// explainAsync explains an error that no call returned.
func (d *dialing) explainAsync(err error) error {
	if errors.Is(err, nats.ErrPermissionViolation) {
		return fmt.Errorf("%s forbids this to the key of role %s: %w", d.where, d.options.Role, err)
	}
	if told := d.explainSignIn(err); told != nil {
		return told
	}
	if told := d.explainTLS(err); told != nil {
		return told
	}
	return fmt.Errorf("%s: %w", d.where, err)
}

// lost explains why a connection ended. It returns nil if it was closed on purpose.
func (d *dialing) lost(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrStaleConnection):
		return fmt.Errorf("%s doesn't answer any more: %w", d.where, err)
	}
	return fmt.Errorf("%s: the connection was lost: %w", d.where, err)
}
