package mockfleet

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
)

// TLS is how devices speak TLS, well or badly. Their certificates are made when the fleet starts.
type TLS string

// The ways of speaking TLS.
const (
	TLSNone      TLS = ""           // not at all: http
	TLSGood      TLS = "good"       // TLS 1.2 and 1.3, with a certificate for the device's address by the CA of Ready
	TLSExpired   TLS = "expired"    // the certificate was good until yesterday
	TLSWrongName TLS = "wrong-name" // the certificate is for another host
	TLSUnknownCA TLS = "unknown-ca" // the certificate is by another CA than that of Ready
	TLS11        TLS = "tls-1.1"    // TLS 1.1 and nothing newer
	TLSStall     TLS = "stall"      // takes the client's hello and never answers it
)

const tlsForms = "good, expired, wrong-name, unknown-ca, tls-1.1 or stall, or nothing for plain http"

func (t TLS) known() bool {
	switch t {
	case TLSNone, TLSGood, TLSExpired, TLSWrongName, TLSUnknownCA, TLS11, TLSStall:
		return true
	}
	return false
}

// authority makes the certificates of a fleet's devices.
type authority struct {
	mode    TLS
	started time.Time
	own     *x509.Certificate // signs the devices' certificates
	ownKey  *ecdsa.PrivateKey
	leafKey *ecdsa.PrivateKey
	pem     []byte // of the CA that clients are told to trust
}

const (
	certificateAge  = 48 * time.Hour       // it began so long ago
	certificateLife = 365 * 24 * time.Hour // and ends so far ahead
	wrongName       = "another.invalid"    // RFC 2606 §2
)

func newAuthority(mode TLS, now time.Time) (*authority, error) {
	a := &authority{mode: mode, started: now}
	trusted, trustedKey, err := newCA("Fleetmark devices", now)
	if err != nil {
		return nil, err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Raw})
	a.own, a.ownKey = trusted, trustedKey
	if mode == TLSUnknownCA {
		if a.own, a.ownKey, err = newCA("Nobody in particular", now); err != nil {
			return nil, err
		}
	}
	if a.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("mockfleet: certificate key: %w", err)
	}
	return a, nil
}

func newCA(name string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("mockfleet: CA key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-certificateAge), NotAfter: now.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("mockfleet: CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

// leaf makes the certificate of the devices at ip. It is made for each handshake: a fleet has an address
// a device, no certificate can name a million, and to keep one each would take more than the device.
func (a *authority) leaf(ip netip.Addr) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "device"},
		NotBefore: a.started.Add(-certificateAge), NotAfter: a.started.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{ip.AsSlice()},
	}
	switch a.mode {
	case TLSExpired:
		template.NotAfter = a.started.Add(-certificateAge / 2)
	case TLSWrongName:
		template.DNSNames, template.IPAddresses = []string{wrongName}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.own, &a.leafKey.PublicKey, a.ownKey)
	if err != nil {
		return nil, fmt.Errorf("mockfleet: certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey}, nil
}

// config is what the devices speak TLS with.
func (a *authority) config() *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.leaf(addressOf(hello.Conn.LocalAddr()))
		},
	}
	if a.mode == TLS11 {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	return config
}
