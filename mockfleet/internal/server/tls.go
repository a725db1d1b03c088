package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// authority makes the certificates of a fleet's devices.
type authority struct {
	started time.Time
	trusted issuer
	unknown issuer // one that clients aren't told to trust
	leafKey *ecdsa.PrivateKey
	pem     []byte // of the CA that clients are told to trust
}

// issuer signs devices' certificates.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

const (
	certificateAge  = 48 * time.Hour       // how long before the start a certificate becomes valid
	certificateLife = 365 * 24 * time.Hour // how long after the start it expires
	wrongName       = "another.invalid"    // RFC 2606 §2
)

func newAuthority(now time.Time) (a *authority, err error) {
	a = &authority{started: now}
	if a.trusted, err = newCA("Fleetmark devices", now); err != nil {
		return nil, err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.trusted.certificate.Raw})
	if a.unknown, err = newCA("Nobody in particular", now); err != nil {
		return nil, err
	}
	if a.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("mockfleet: certificate key: %w", err)
	}
	return a, nil
}

func newCA(name string, now time.Time) (issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issuer{}, fmt.Errorf("mockfleet: CA key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-certificateAge), NotAfter: now.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return issuer{}, fmt.Errorf("mockfleet: CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return issuer{certificate, key}, err
}

// leaf makes the certificate of the devices at ip, for one handshake. Each device has an address of
// its own, and no certificate can name a million of them. Keeping one for each device would take
// more memory than the devices.
func (a *authority) leaf(mode behavior.TLSMode, ip netip.Addr) (*tls.Certificate, error) {
	by := a.trusted
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "device"},
		NotBefore: a.started.Add(-certificateAge), NotAfter: a.started.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{ip.AsSlice()},
	}
	switch mode {
	case behavior.TLSUnknownCA:
		by = a.unknown
	case behavior.TLSExpired:
		template.NotAfter = a.started.Add(-certificateAge / 2)
	case behavior.TLSWrongName:
		template.DNSNames, template.IPAddresses = []string{wrongName}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, &a.leafKey.PublicKey, by.key)
	if err != nil {
		return nil, fmt.Errorf("mockfleet: certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey}, nil
}

// config returns the configuration of devices that speak TLS in a mode.
func (a *authority) config(mode behavior.TLSMode) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.leaf(mode, ipOf(hello.Conn.LocalAddr()))
		},
	}
	if mode == behavior.TLS11 {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	return config
}

// tlsEndpoint is how the devices of a group speak TLS.
type tlsEndpoint struct {
	config *tls.Config // nil without TLS
	stall  bool        // reads the client's hello and never answers it
}

// newTLSEndpoints makes the certificate authorities, and the TLS configuration of each group. It
// does nothing without TLS.
func (s *Server) newTLSEndpoints() (err error) {
	if s.cfg.TLS == behavior.TLSNone {
		return nil
	}
	if s.authority, err = newAuthority(s.started); err != nil {
		return err
	}
	for _, g := range s.store.Groups().All {
		mode := g.TLS
		if mode == behavior.TLSNone {
			mode = s.cfg.TLS
		}
		s.tls = append(s.tls, tlsEndpoint{s.authority.config(mode), mode == behavior.TLSStall})
	}
	return nil
}

// tlsFor returns how a device speaks TLS. device is -1 if each request's path names the device.
func (s *Server) tlsFor(device int) tlsEndpoint {
	switch {
	case len(s.tls) == 0:
		return tlsEndpoint{}
	case device < 0:
		return s.tls[len(s.tls)-1] // groups have no TLS of their own in path addressing
	}
	return s.tls[s.store.Groups().Of(device)]
}
