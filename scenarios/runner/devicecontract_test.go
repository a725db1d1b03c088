package runner

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// documented returns the schemas in docs/reference/device-http.md by the request whose answer they
// describe.
func documented(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	page, err := os.ReadFile("../../docs/reference/device-http.md")
	require.NoError(t, err)
	all := map[string]*jsonschema.Schema{}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(block[1]))
		require.NoError(t, err)
		request := regexp.MustCompile(`(POST|GET) /\w+`).FindString(block[1])
		c := jsonschema.NewCompiler()
		require.NoError(t, c.AddResource(request, document))
		all[request], err = c.Compile(request)
		require.NoError(t, err)
	}
	require.Len(t, all, 2)
	return all
}

func valid(t *testing.T, s *jsonschema.Schema, text string) bool {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return s.Validate(document) == nil
}

// TestDevicesAnswerAsDocumented checks that the client accepts what the page says a device must
// answer, and rejects what the page forbids, with an error that says what was wrong.
func TestDevicesAnswerAsDocumented(t *testing.T) {
	schemas, u := documented(t), xUpdate(t)
	var answer string
	device := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer device.Close()
	client, err := delivery.New(delivery.Config{})
	require.NoError(t, err)
	defer client.Close()
	at := delivery.Device{Address: device.URL, ID: "till-7"}
	for _, c := range []struct {
		request, answer string
		says            string // the client's error; empty if it accepts the answer
	}{
		{"POST /update", `{"success": true}`, ""},
		{"POST /update", `{"success": true, "more": [1]}`, ""},
		{"POST /update", `{"success": true, "message": "applied", "size": 1, "digest": "` + xDigest + `"}`, ""},
		{"POST /update", `{"success": true, "digest": "` + strings.ToUpper(xDigest) + `"}`, ""},
		{"POST /update", `{"status": "ok"}`, `device did not take the update: its answer lacks "success": true`},
		{"POST /update", `{"success": false, "message": "no room"}`, `device did not take the update: "no room"`},
		{"POST /update", `{"success": "true"}`, "answer: "},
		{"POST /update", `{"success": true, "digest": "00"}`, "SHA-256"},
		{"POST /update", `[true]`, "answer: "},
		{"GET /version", `{"device_id": "till-7", "version": "2", "digest": "` + xDigest + `"}`, ""},
		{"GET /version", `{"device_id": "till-7", "version": "2", "digest": "` + xDigest +
			`", "state": "idle", "updated_at": ""}`, ""},
		{"GET /version", `{"device_id": "till-7", "digest": "` + xDigest + `"}`, `it runs "", want "2"`},
		{"GET /version", `{"device_id": "till-7", "version": "2"}`, `SHA-256 ""`},
		{"GET /version", `{"device_id": "till-7", "version": "2", "digest": "` + xDigest[1:] + `"}`, "SHA-256"},
		{"GET /version", `{"device_id": "till-7", "version": 2, "digest": "` + xDigest + `"}`, "answer: "},
	} {
		t.Run(c.request+" "+c.answer, func(t *testing.T) {
			require.Equal(t, c.says == "", valid(t, schemas[c.request], c.answer), "the page's word")
			answer = c.answer
			ask := client.Push
			if c.request == "GET /version" {
				ask = client.Verify
			}
			err := ask(t.Context(), at, u)
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
}

// TestFleetAnswersAsDocumented checks that the simulated devices answer as the page says.
func TestFleetAnswersAsDocumented(t *testing.T) {
	schemas := documented(t)
	f, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 1, Addressing: address.Path})
	require.NoError(t, err)
	defer f.Close()
	read := func(resp *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return string(body)
	}
	for range 2 {
		text := read(http.Get(f.DeviceAddress(0) + "/version"))
		require.True(t, valid(t, schemas["GET /version"], text), text)
		text = read(http.Post(f.DeviceAddress(0)+"/update", "application/octet-stream", bytes.NewReader([]byte("x"))))
		require.True(t, valid(t, schemas["POST /update"], text), fmt.Sprint(text))
	}
}
