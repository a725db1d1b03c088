// Command bench has all commands of Fleetmark. They drive the delivery client below.
//
// The client works as it stands: it updates Fleetmark's simulated devices over net/http. Replace it
// step by step with your own code, which then is what scenarios, profiles and the gate measure.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

func main() { app.Main(app.WithClient("acme", newClient)) }

// A httpClient is the client under test. It must be safe for concurrent use.
//
// Your own client goes here: a type that holds what your service delivers updates with, and calls
// it in Push and Verify. If it pushes and verifies by itself, retries included, give it the method
// Deliver of client.Deliverer. If it updates many devices by itself, give it the method Rollout of
// client.Rollouter.
type httpClient struct {
	http   *http.Client
	header http.Header // that every request has, such as Authorization
}

// newClient makes the client of one repetition, from what the scenario asks for under client. A
// zero field leaves the choice to the client; 0 as a timeout is none.
func newClient(c client.Config) (client.Client, error) {
	dial := c.Dial
	if c.DialTimeout > 0 {
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.DialTimeout)
			defer cancel()
			return c.Dial(ctx, network, address)
		}
	}
	return &httpClient{
		header: c.Header,
		http: &http.Client{
			Timeout: c.TotalTimeout,
			Transport: &http.Transport{
				DialContext:           dial,
				TLSClientConfig:       c.TLS, // the authorities to trust
				TLSHandshakeTimeout:   c.DialTimeout,
				ResponseHeaderTimeout: c.AnswerTimeout,
				MaxIdleConns:          c.MaxIdle,
				MaxIdleConnsPerHost:   c.Workers,
			},
			// A push and a verification are one request each. Whoever follows redirects should
			// count them, in the report of a method Deliver.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Push sends the update to the device. It returns nil if the device took it.
func (c *httpClient) Push(ctx context.Context, d client.Device, u *client.Update) error {
	artifact := u.Artifact()
	digest := artifact.Digest()
	req, err := c.request(ctx, http.MethodPost, d, "/update", artifact.Reader())
	if err != nil {
		return err
	}
	req.ContentLength = artifact.Size()
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-Update-Version", u.Version())
	req.Header.Set("Idempotency-Key", u.IdempotencyKey()) // the device applies a repeat only once
	req.Header.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":")
	var answer struct {
		Success bool
		Message string
	}
	status, err := c.do(req, &answer)
	if err == nil && status == http.StatusOK && !answer.Success {
		err = &deviceError{class: "refused", status: status, text: "the device refused the update: " + answer.Message}
	}
	return err
}

// Verify asks the device what it runs. It returns nil if that is the update.
func (c *httpClient) Verify(ctx context.Context, d client.Device, u *client.Update) error {
	req, err := c.request(ctx, http.MethodGet, d, "/version", http.NoBody)
	if err != nil {
		return err
	}
	var runs struct{ Version, Digest, State string }
	status, err := c.do(req, &runs)
	switch {
	case err != nil:
		return err
	case runs.State != "" && runs.State != "idle":
		return &deviceError{class: "pending", status: status, text: "the device is still " + runs.State}
	case runs.Version != u.Version() || runs.Digest != u.Artifact().DigestHex():
		text := fmt.Sprintf("the device runs %q, want %q", runs.Version, u.Version())
		return &deviceError{class: "integrity", status: status, text: text}
	}
	return nil
}

// Close ends what the client has begun. A goroutine that stays is reported as a leak.
func (c *httpClient) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// request returns a request to the device, with the header fields that all requests have.
func (c *httpClient) request(ctx context.Context, method string, d client.Device, path string, body io.Reader) (
	*http.Request, error,
) {
	req, err := http.NewRequestWithContext(ctx, method, d.Address+path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if d.ID != "" {
		req.Header.Set("X-Device-ID", d.ID)
	}
	return req, nil
}

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 64 << 10

// do sends the request once, and decodes an answer 200 into answer. The body of an answer 202,
// which means that the device is going to install the update, is of no interest.
func (c *httpClient) do(req *http.Request, answer any) (status int, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err // an error about a deadline is counted as a timeout
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the connection can be used again
	if err != nil {
		return resp.StatusCode, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err := json.Unmarshal(text, answer); err != nil {
			return resp.StatusCode, &deviceError{class: "protocol", status: resp.StatusCode, text: err.Error()}
		}
		return resp.StatusCode, nil
	case http.StatusAccepted:
		return resp.StatusCode, nil
	}
	return resp.StatusCode, &deviceError{
		class: fmt.Sprintf("http-%d", resp.StatusCode), status: resp.StatusCode, text: "the device answered " + resp.Status,
	}
}

// A deviceError is an error that reports tell apart by its class. Any other error will do, too: it
// is counted as "unknown", or as "timeout".
type deviceError struct {
	class, text string
	status      int
}

func (e *deviceError) Error() string   { return e.text }
func (e *deviceError) Class() string   { return e.class }
func (e *deviceError) StatusCode() int { return e.status }
