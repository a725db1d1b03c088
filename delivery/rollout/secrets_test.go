package rollout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestCredentialsReachNoLog has a device that sends back what it received, in every place that an
// error quotes. Errors, events, timelines, logs and the journal must not show it.
func TestCredentialsReachNoLog(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("till:Pa55word"))
	secrets := []string{"s3cret-token", "0f-all-devices", "Pa55word",
		base64.StdEncoding.EncodeToString([]byte("till:Pa55word"))}
	long := strings.Repeat("x", 110) // an error quotes 120 bytes: the secret is cut
	overBoth(t, func(t *testing.T, cfg delivery.Config) {
		var devices []delivery.Device
		echo := func(answer func(secret string) string) {
			d := rawDevice(t, func(c net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				if strings.HasPrefix(token, "Basic ") {
					token = "Pa55word " + token
				}
				_, _ = io.WriteString(c, answer(token+" "+r.Header.Get("X-Key"))) // and close
			})
			d.ID = fmt.Sprintf("till-%d", len(devices))
			devices = append(devices, d)
		}
		for _, before := range []string{"", "bad token ", long} {
			echo(func(s string) string {
				return deliverytest.JSONAnswer("401 Unauthorized", fmt.Sprintf(`{"message":%q}`, before+s))
			})
			echo(func(s string) string {
				return deliverytest.JSONAnswer("200 OK", fmt.Sprintf(`{"success":false,"message":%q}`, before+s))
			})
			echo(func(s string) string {
				return deliverytest.JSONAnswer("200 OK",
					fmt.Sprintf(`{"success":true,"device_id":%q,"version":"2","state":"idle"}`, before+s))
			})
			echo(func(s string) string { return before + s + "\r\n\r\n" })
			echo(func(s string) string { return "HTTP/1.1 200 OK\r\n" + before + s + "\r\n\r\n" })
			echo(func(s string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + before + s + "\r\n\r\n" })
			echo(func(s string) string {
				return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + before + s + "\r\n"
			})
			echo(func(s string) string { return "HTTP/1.1 307 Go\r\nLocation: http://" + before + s + "/\r\n\r\n" })
			echo(func(s string) string {
				return deliverytest.JSONAnswer("200 OK",
					fmt.Sprintf(`{"success":true,"device_id":"till-8","version":%q,"state":"idle"}`, before+s))
			})
		}
		var log bytes.Buffer
		var mu sync.Mutex
		show := func(v ...any) {
			mu.Lock()
			defer mu.Unlock()
			for _, v := range v {
				fmt.Fprintf(&log, "%v %+v %#v %s\n", v, v, v, v)
				for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
					slog.New(h).Info("seen", "what", v)
				}
			}
		}
		cfg.Header = http.Header{"X-Key": {"0f-all-devices"}}
		cfg.ForDevice = func(_ context.Context, d delivery.Device) (delivery.Credentials, error) {
			if d.ID == "till-0" {
				return delivery.Credentials{Header: http.Header{"Authorization": {basic}}}, nil
			}
			if d.ID == "till-1" {
				return delivery.Credentials{}, nil
			}
			return delivery.Credentials{Header: http.Header{"Authorization": {"Bearer s3cret-token"}}}, nil
		}
		cfg.Observe = func(l delivery.Timeline) { show(l, l.Err) }
		c := newClient(t, cfg)
		path := filepath.Join(t.TempDir(), "journal")
		report, err := Run(t.Context(), c, slices.Values(devices), newUpdate(t, "2", []byte("x")), Options{
			Journal: Journal{Path: path},
			OnEvent: func(e Event) { show(e.Kind, e.Device, e.Err, e) },
		})
		require.NoError(t, err)
		require.Equal(t, len(devices), report.Failed.Total(), "%v", report)
		show(cfg, delivery.Credentials{Header: http.Header{"Authorization": {"Bearer s3cret-token"}}}, report)
		journal, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, secret := range secrets {
			require.NotContains(t, string(journal), secret)
			require.NotContains(t, log.String(), secret)
			require.NotContains(t, log.String(), fmt.Sprintf("%x", secret))
		}
		require.NotContains(t, log.String(), "s3cret", "nor the beginning of one")
		require.Contains(t, log.String(), "(hidden)")
	})
}
