package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

// fiveBytes returns an update to version 2.0.0 whose artifact is "hello".
func fiveBytes(t *testing.T) *client.Update {
	t.Helper()
	artifact, err := delivery.ArtifactFromBytes([]byte("hello"))
	require.NoError(t, err)
	u, err := delivery.NewUpdate("2.0.0", artifact)
	require.NoError(t, err)
	return u
}

// open makes a client, which the end of the test closes.
func open(t *testing.T, c client.Config) client.Client {
	t.Helper()
	made, err := newClient(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, made.Close()) })
	return made
}

func TestRequests(t *testing.T) {
	var got []*http.Request
	var bodies []string
	device := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, bodies = append(got, r), append(bodies, string(body))
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"success":true,"size":5}`)
			return
		}
		_, _ = io.WriteString(w, `{"device_id":"d-1","version":"2.0.0","state":"idle",`+
			`"digest":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}`)
	}))
	defer device.Close()
	c := open(t, client.Config{Workers: 1, Header: http.Header{"Authorization": {"Bearer x"}}})
	d := client.Device{ID: "d-1", Address: device.URL}
	require.NoError(t, c.Push(context.Background(), d, fiveBytes(t)))
	require.NoError(t, c.Verify(context.Background(), d, fiveBytes(t)))
	require.Equal(t, []string{"hello", ""}, bodies)
	require.Equal(t, "POST /update", got[0].Method+" "+got[0].URL.Path)
	require.Equal(t, "GET /version", got[1].Method+" "+got[1].URL.Path)
	require.EqualValues(t, 5, got[0].ContentLength)
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Update-Version": "2.0.0",
		// printf hello | sha256sum | xxd -r -p | base64
		"Repr-Digest": "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:",
	} {
		require.Equal(t, want, got[0].Header.Get(name), name)
	}
	require.NotEmpty(t, got[0].Header.Get("Idempotency-Key"))
	for _, r := range got {
		require.Equal(t, "Bearer x", r.Header.Get("Authorization"))
		require.Equal(t, "d-1", r.Header.Get("X-Device-ID"))
	}
}

func TestAnswers(t *testing.T) {
	const other = `{"version":"1.0.0","digest":"","state":"idle"}`
	for name, c := range map[string]struct {
		status       int
		body         string
		push, verify string // the classes of the errors; "": none
	}{
		"applied, and another version": {200, `{"success":true,"version":"1.0.0"}`, "", "integrity"},
		"taken":                        {202, "not JSON", "", "integrity"},
		"refused":                      {200, `{"success":false,"message":"flash full"}`, "refused", "integrity"},
		"installs":                     {200, `{"success":true,"state":"installing"}`, "", "pending"},
		"no JSON":                      {200, "OK", "protocol", "protocol"},
		"too long": {200, `{"success":true,"message":"` + strings.Repeat("x", maxAnswer) + `"}`,
			"protocol", "protocol"},
		"busy":        {409, other, "http-409", "http-409"},
		"unavailable": {503, other, "http-503", "http-503"},
		"elsewhere":   {307, "", "http-307", "http-307"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			device := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if w.Header().Set("Location", "/elsewhere"); c.status != http.StatusTemporaryRedirect {
					w.Header().Del("Location")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer device.Close()
			made := open(t, client.Config{Workers: 1})
			d := client.Device{Address: device.URL}
			requireClass(t, c.push, made.Push(context.Background(), d, fiveBytes(t)))
			requireClass(t, c.verify, made.Verify(context.Background(), d, fiveBytes(t)))
			require.Equal(t, 2, requests, "each is one request")
		})
	}
}

func requireClass(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	var classified client.Classifier
	require.ErrorAs(t, err, &classified)
	require.Equal(t, want, classified.Class())
}

func TestSimulatedDevices(t *testing.T) {
	fleet, err := mockfleet.Start(t.Context(), mockfleet.Config{
		Devices: 3, Addressing: address.Port, TLS: behavior.TLSGood,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	require.NoError(t, fleet.SetFaults(1, behavior.Behavior{Faults: []fault.Fault{{Kind: "blackhole"}}}))
	require.NoError(t, fleet.SetFaults(2, behavior.Behavior{Faults: []fault.Fault{{Kind: "status-503", First: 1}}}))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(fleet.Ready().CA)))
	dials := 0
	c := open(t, client.Config{
		Workers: 1, TLS: &tls.Config{RootCAs: roots}, DialTimeout: time.Minute,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
	u := fiveBytes(t)
	device := func(i int) client.Device { return client.Device{Address: fleet.DeviceAddress(i)} }

	require.Error(t, c.Verify(t.Context(), device(0), u), "it runs the version that it began with")
	require.NoError(t, c.Push(t.Context(), device(0), u))
	require.NoError(t, c.Verify(t.Context(), device(0), u))
	require.Equal(t, 1, dials, "the connection is kept alive")

	requireClass(t, "http-503", c.Push(t.Context(), device(2), u))
	require.NoError(t, c.Push(t.Context(), device(2), u))

	var late net.Error
	hasty := open(t, client.Config{Workers: 1, TLS: &tls.Config{RootCAs: roots}, TotalTimeout: 100 * time.Millisecond})
	require.ErrorAs(t, hasty.Push(t.Context(), device(1), u), &late)
	require.True(t, late.Timeout())

	strangers := open(t, client.Config{Workers: 1})
	require.ErrorContains(t, strangers.Push(t.Context(), device(0), u), "certificate")
}
