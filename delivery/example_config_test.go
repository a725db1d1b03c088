package delivery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// pushOne pushes one byte to a device, once.
func pushOne(cfg delivery.Config, address string) error {
	client, err := delivery.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		return err
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		return err
	}
	return client.Push(context.Background(), delivery.Device{ID: "till-17", Address: address}, update)
}

// A device whose certificate was issued by a private authority. The client trusts nothing else, and
// uses TLS 1.2 or later.
func ExampleConfig_tls() {
	till := httptest.NewTLSServer(deviceHandler())
	defer till.Close()
	roots := x509.NewCertPool()
	roots.AddCert(till.Certificate()) // as a rule: AppendCertsFromPEM

	cfg := delivery.Config{
		TLS:    &tls.Config{RootCAs: roots}, // and Certificates, if the device wants one of the client
		Header: http.Header{"Authorization": {"Bearer s3cret"}},
	}
	fmt.Println(pushOne(cfg, till.URL))
	// Output: <nil>
}

// Each device has a token of its own, and a certificate that is issued to its serial number
// while its address is what DHCP gave it.
func ExampleConfig_forDevice() {
	till := httptest.NewTLSServer(deviceHandler()) // its certificate is for example.com
	defer till.Close()
	roots := x509.NewCertPool()
	roots.AddCert(till.Certificate())
	serial := map[string]string{"till-17": "example.com"}

	cfg := delivery.Config{
		TLS: &tls.Config{RootCAs: roots},
		ForDevice: func(_ context.Context, d delivery.Device) (delivery.Credentials, error) {
			token := "Bearer token-of-" + d.ID // usually read from a secret store
			return delivery.Credentials{
				Header:     http.Header{"Authorization": {token}},
				ServerName: serial[d.ID],
			}, nil
		},
	}
	fmt.Println(pushOne(cfg, till.URL))
	// Output: <nil>
}

// How long each phase of a request took.
func ExampleTimeline() {
	till := device()
	defer till.Close()
	cfg := delivery.Config{Observe: func(l delivery.Timeline) {
		waited := l.Answered.Sub(l.Written)
		fmt.Println(l.Op, l.Device, l.Status, l.Reused, waited > 0 && waited < time.Minute)
	}}
	if err := pushOne(cfg, till.URL); err != nil {
		fmt.Println(err)
	}
	// Output: push till-17 200 false true
}

// What to do with a device, by how its delivery ended.
func ExampleError() {
	lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"success":true,"device_id":"till-17","version":"1.0.0","state":"idle"}`)
	}))
	defer lying.Close()
	client, err := delivery.New(delivery.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		fmt.Println(err)
		return
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Deliver(context.Background(), delivery.Device{ID: "till-17", Address: lying.URL}, update)
	switch {
	case err == nil:
		fmt.Println("it runs the update")
	case errors.Is(err, delivery.ErrQuarantined):
		fmt.Println("have somebody look at it:", err)
	case errors.Is(err, delivery.ErrBreakerOpen), errors.Is(err, delivery.ErrRetryBudget):
		fmt.Println("come back later")
	case delivery.ClassOf(err) == delivery.ClassPending:
		fmt.Println("still installing")
	}
	// Output: have somebody look at it: verify till-17: integrity: status 200: device does not run the update: it runs "1.0.0", want "2.0.0"
}
