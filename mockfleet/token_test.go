package mockfleet

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// TestTheControlPortRequiresItsToken checks that without the token no request to the control port
// does or reveals anything, not even for a path that it lacks.
func TestTheControlPortRequiresItsToken(t *testing.T) {
	const token = "The-Fleets-Own-Token"
	f := startFleet(t, Config{Devices: 10, Addressing: address.Path, Token: token})
	client, control := newClient(t), openControl(t, f)
	getVersion(t, client, f.DeviceAddress(3)) // for a reset to forget
	requests := []struct{ method, path, body string }{
		{"GET", "/fleet", ""},
		{"GET", "/devices/3", ""},
		{"PUT", "/devices/3/faults", `{"fail_first": 1000}`},
		{"GET", "/ledger", ""},
		{"POST", "/reset", ""},
		{"GET", "/metrics", ""},
		{"GET", "/fleet?access_token=" + token, ""},
		{"POST", "/fleet", ""},
		{"GET", "/devices/10", ""},
		{"GET", "/nothing", ""},
		{"GET", "/", ""},
	}
	refused := map[string][]string{ // the values of Authorization
		"nothing":               nil,
		"an empty value":        {""},
		"the token alone":       {token},
		"the scheme alone":      {"Bearer"},
		"the empty token":       {"Bearer "},
		"another token":         {"Bearer the-token-of-others"},
		"another of its length": {"Bearer " + strings.Repeat("T", len(token))},
		"a shorter token":       {"Bearer " + token[:len(token)-1]},
		"its end":               {"Bearer " + token[1:]},
		"a longer token":        {"Bearer " + token + "n"},
		"the token twice":       {"Bearer " + token + token},
		"in lower case":         {"Bearer " + strings.ToLower(token)},
		"in upper case":         {"Bearer " + strings.ToUpper(token)},
		"quoted":                {`Bearer "` + token + `"`},
		"a list":                {"Bearer " + token + ", Bearer " + token},
		"another scheme":        {"Basic " + token},
		"a longer scheme":       {"Bearers " + token},
		"no scheme":             {" " + token},
		"as a parameter":        {"Bearer token=" + token},
		"only the second is it": {"Bearer another", "Bearer " + token},
		"in brackets":           {"Bearer <" + token + ">"},
	}
	send := func(t *testing.T, method, path, body string, authorization ...string) (int, http.Header, []byte) {
		request, err := http.NewRequest(method, f.Ready().Control+path, strings.NewReader(body))
		require.NoError(t, err)
		if authorization != nil {
			request.Header["Authorization"] = authorization
		}
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, response.Header, answer
	}
	for name, authorization := range refused {
		t.Run(name, func(t *testing.T) {
			for _, r := range requests {
				status, header, body := send(t, r.method, r.path, r.body, authorization...)
				require.Equal(t, http.StatusUnauthorized, status, "%s %s", r.method, r.path)
				require.Equal(t, []string{`Bearer realm="fleet control"`}, header.Values("WWW-Authenticate"))
				require.Equal(t, wire.TypeJSON, header.Get("Content-Type"))
				require.NotContains(t, string(body), token)
				var answer map[string]string // it must hold nothing else
				require.NoError(t, json.Unmarshal(body, &answer))
				require.Equal(t, map[string]string{"error": "want the fleet's token: Authorization: Bearer TOKEN"}, answer)
			}
		})
	}
	device, err := control.Device(t.Context(), 3)
	require.NoError(t, err)
	require.EqualValues(t, 1, device.Verifies, "no reset came through")
	require.Zero(t, device.Behavior.FailFirst, "no faults came through")

	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} { // a scheme's case doesn't matter (RFC 9110 §11.1)
		status, header, _ := send(t, "GET", "/fleet", "", scheme+" "+token)
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, header.Values("WWW-Authenticate"))
	}
}
