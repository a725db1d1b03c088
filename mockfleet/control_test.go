package mockfleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// openControl opens the control port of f.
func openControl(t testing.TB, f *Fleet) *Control {
	t.Helper()
	return openControlAt(t, f.Ready())
}

func openControlAt(t testing.TB, ready Ready) *Control {
	t.Helper()
	c, err := NewControl(ready.Control, ready.Token)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestControlAgreesWithTheFleet(t *testing.T) {
	f := startFleet(t, Config{Devices: 100, Addressing: address.Path})
	client, control, ctx := newClient(t), openControl(t, f), t.Context()
	for i := 0; i < 100; i += 7 {
		status, _ := update{artifact: fmt.Appendf(nil, "for %d", i), key: "k"}.send(t, client, f.DeviceAddress(i))
		require.Equal(t, http.StatusOK, status)
	}
	getVersion(t, client, f.DeviceAddress(50))

	var fromFleet, fromControl []ledger.Entry
	for e := range f.Ledger() {
		fromFleet = append(fromFleet, e)
	}
	for e, err := range control.Ledger(ctx) {
		require.NoError(t, err)
		fromControl = append(fromControl, e)
	}
	require.Len(t, fromFleet, 16)
	require.Equal(t, fromFleet, fromControl)

	status, err := control.Status(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 100, status.Devices)
	require.EqualValues(t, 15, status.Updated)
	require.EqualValues(t, 15, status.Pushes)
	require.EqualValues(t, 1, status.Verifies)
	require.EqualValues(t, 16, status.Requests)
	require.Positive(t, status.BytesIn)
	require.Positive(t, status.BytesOut)
	require.Positive(t, status.Goroutines)
	require.Positive(t, status.Uptime)

	device, err := control.Device(ctx, 14)
	require.NoError(t, err)
	want, err := f.Device(14)
	require.NoError(t, err)
	require.Equal(t, want, device)
	require.Equal(t, f.DeviceAddress(14), device.Address)

	latency, err := random.Uniform(time.Millisecond, 2*time.Millisecond)
	require.NoError(t, err)
	faults := behavior.Behavior{Latency: latency, FailFirst: 1, FailStatus: 500}
	require.NoError(t, control.SetFaults(ctx, 14, faults))
	device, err = control.Device(ctx, 14)
	require.NoError(t, err)
	require.Equal(t, faults, device.Behavior)
	answered, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(14))
	require.Equal(t, http.StatusInternalServerError, answered)

	require.NoError(t, control.Reset(ctx))
	for range control.Ledger(ctx) {
		require.Fail(t, "the ledger is not empty after a reset")
	}
	device, err = control.Device(ctx, 14)
	require.NoError(t, err)
	require.Equal(t, faults, device.Behavior)
	require.Equal(t, ledger.Entry{Device: 14, ID: address.DeviceID(14), Version: "1.0.0", State: wire.StateIdle,
		Stage: ledger.StageIdle}, device.Entry)
}

func TestControlChangesGroups(t *testing.T) {
	f := mixed(t, address.Path)
	client, control, ctx := newClient(t), openControl(t, f), t.Context()
	require.NoError(t, control.SetGroupFaults(ctx, "slow", withFaults(fault.Fault{Kind: "status-429"})))
	slow := membersOf(f, "slow")
	status, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(slow[0]))
	require.Equal(t, http.StatusTooManyRequests, status)
	count, err := control.SetOffline(ctx, "slow", 0.3)
	require.NoError(t, err)
	require.Equal(t, 3, count)
	groups, err := control.Groups(ctx)
	require.NoError(t, err)
	require.Equal(t, f.Groups(), groups)
	require.Equal(t, map[ledger.Stage]int{ledger.StageOffline: 3, ledger.StageIdle: 7}, groups[1].Stages)

	request, err := http.NewRequest(http.MethodGet, f.Ready().Control+"/metrics", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+f.Ready().Token)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(page), `fleetmark_fleet_stage_devices{group="slow",stage="offline"} 3`)
	require.Contains(t, string(page), `fleetmark_fleet_faults{kind="status-429"} 1`)

	require.NoError(t, control.Heal(ctx, "slow"))
	groups, err = control.Groups(ctx)
	require.NoError(t, err)
	require.Equal(t, map[ledger.Stage]int{ledger.StageIdle: 10}, groups[1].Stages)
	status, _ = update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(slow[0]))
	require.Equal(t, http.StatusOK, status)
}

func TestTheLedgerCanBeLeftEarly(t *testing.T) {
	f := startFleet(t, Config{Devices: 3, Addressing: address.Path})
	client, control := newClient(t), openControl(t, f)
	for i := range 3 {
		getVersion(t, client, f.DeviceAddress(i))
	}
	for e, err := range control.Ledger(t.Context()) {
		require.NoError(t, err)
		require.Zero(t, e.Device)
		break
	}
	for e := range f.Ledger() {
		require.Zero(t, e.Device)
		break
	}
}

func TestTheControlPortRefusesWithAClearError(t *testing.T) {
	f := startFleet(t, Config{Devices: 10, Addressing: address.Path})
	token := "Bearer " + f.Ready().Token
	tests := []struct {
		name, method, path, authorization, body string
		status                                  int
		want                                    string
	}{
		{"no token", "GET", "/fleet", "", "", 401, "want the fleet's token"},
		{"a wrong token", "GET", "/fleet", "Bearer wrong", "", 401, "want the fleet's token"},
		{"a longer token", "GET", "/fleet", token + "0", "", 401, "want the fleet's token"},
		{"the empty token", "GET", "/fleet", "Bearer ", "", 401, "want the fleet's token"},
		{"another scheme", "GET", "/fleet", strings.Replace(token, "Bearer", "Basic", 1), "", 401, "want the fleet's token"},
		{"no token for what isn't there", "GET", "/nothing", "", "", 401, "want the fleet's token"},
		{"an unknown path", "GET", "/nothing", token, "", 404, "the control port has /fleet"},
		{"a wrong method", "POST", "/fleet", token, "", 405, "want GET /fleet"},
		{"a reset by GET", "GET", "/reset", token, "", 405, "want POST /reset"},
		{"beyond the last device", "GET", "/devices/10", token, "", 404, "device 10: the fleet has devices 0 to 9"},
		{"before the first device", "GET", "/devices/-1", token, "", 404, "device -1: the fleet has devices 0 to 9"},
		{"no index", "GET", "/devices/x", token, "", 404, `device \"x\": want an index, 0 to 9`},
		{"faults of no device", "PUT", "/devices/10/faults", token, "{}", 404, "device 10"},
		{"faults of no JSON", "PUT", "/devices/1/faults", token, "latency: 5ms", 400, "behavior: "},
		{"an unknown field", "PUT", "/devices/1/faults", token, `{"latencies": "5ms"}`, 400, `unknown field \"latencies\"`},
		{"a wrong distribution", "PUT", "/devices/1/faults", token, `{"latency": "often"}`, 400,
			`distribution \"often\": want a duration such as 5ms`},
		{"a wrong status", "PUT", "/devices/1/faults", token, `{"fail_status": 200}`, 400,
			"fail_status: 200: want an HTTP status from 400 to 599"},
		{"a negative count", "PUT", "/devices/1/faults", token, `{"fail_first": -1}`, 400, "fail_first: -1: want 0 to"},
		{"faults of no group", "PUT", "/groups/slow/faults", token, "{}", 404, `group: \"slow\": want one of all, rest`},
		{"faults of a group that are none", "PUT", "/groups/rest/faults", token, `{"faults": [{"kind": "?"}]}`, 400,
			"faults[0].kind"},
		{"faults out of reach", "PUT", "/groups/rest/faults", token, `{"faults": [{"kind": "refuse"}]}`, 400,
			"want port addressing"},
		{"healing no group", "POST", "/groups/slow/heal", token, "", 404, `group: \"slow\"`},
		{"healing no device", "POST", "/devices/10/heal", token, "", 404, "device 10"},
		{"no share", "PUT", "/groups/all/offline", token, "{}", 400, `offline: want {\"share\": \"10%\"}`},
		{"a share beyond all", "PUT", "/groups/all/offline", token, `{"share": 2}`, 400,
			`offline: share \"2\": want a number from 0 to 1`},
		{"no group offline", "PUT", "/groups/slow/offline", token, `{"share": 1}`, 404, `group: \"slow\"`},
		{"a query of nothing", "GET", "/ledger?colour=red", token, "", 400, `query: \"colour\": want one of group`},
		{"a stage of nothing", "GET", "/ledger?stage=asleep", token, "", 400, `stage: \"asleep\": want one of`},
		{"a summary of nothing", "GET", "/ledger/summary?has=luck", token, "", 400, `has: \"luck\": want one of`},
		{"two documents", "PUT", "/devices/1/faults", token, `{}{}`, 400, "one JSON document"},
		{"a large body", "PUT", "/devices/1/faults", token, `{"latency": "` + strings.Repeat(" ", 17_000) + `"}`, 400,
			"too large"},
	}
	client := newClient(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequest(test.method, f.Ready().Control+test.path, strings.NewReader(test.body))
			require.NoError(t, err)
			if test.authorization != "" {
				request.Header.Set("Authorization", test.authorization)
			}
			response, err := client.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, test.status, response.StatusCode, string(body))
			require.Equal(t, wire.TypeJSON, response.Header.Get("Content-Type"))
			require.Contains(t, string(body), test.want)
			var problem errorResponse
			require.NoError(t, json.Unmarshal(body, &problem))
			require.NotEmpty(t, problem.Error)
			require.Equal(t, test.status == http.StatusUnauthorized, response.Header.Get("WWW-Authenticate") != "")
			require.Equal(t, test.status == http.StatusMethodNotAllowed, response.Header.Get("Allow") != "")
		})
	}
}

func TestControlReportsWhatWentWrong(t *testing.T) {
	f := startFleet(t, Config{Devices: 10, Addressing: address.Path})
	ctx := t.Context()
	stranger, err := NewControl(f.Ready().Control, "not the token")
	require.NoError(t, err)
	defer stranger.Close()
	var refusal *ControlError
	_, err = stranger.Status(ctx)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, http.StatusUnauthorized, refusal.Status)
	require.EqualError(t, err, "mockfleet: control port: GET /fleet: status 401: want the fleet's token: Authorization: Bearer TOKEN")
	require.ErrorAs(t, stranger.Reset(ctx), &refusal)
	for _, err := range stranger.Ledger(ctx) {
		require.ErrorAs(t, err, &refusal)
	}

	control := openControl(t, f)
	_, err = control.Device(ctx, 10)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, http.StatusNotFound, refusal.Status)
	require.ErrorContains(t, control.SetFaults(ctx, 0, behavior.Behavior{FailStatus: 99}), "fail_status: 99")

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = control.Status(canceled)
	require.ErrorIs(t, err, context.Canceled)

	for _, bad := range []string{"", "127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://user:secret@127.0.0.1"} {
		_, err := NewControl(bad, "token")
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err = NewControl("http://127.0.0.1:1", "")
	require.ErrorContains(t, err, "control token")
}

func TestControlRefusesAnswersOfAnotherServer(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"a ledger that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"device":1}`+"\n"+`{"device":2`)
		},
		"a connection that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"device":1}`+"\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"HTML":         func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a HTML error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			control, err := NewControl(server.URL, "token")
			require.NoError(t, err)
			defer control.Close()
			var last error
			for _, err := range control.Ledger(t.Context()) {
				last = err
			}
			require.Error(t, last)
		})
	}
}

func TestALedgerCutShortByCloseDoesNotLookWhole(t *testing.T) {
	f := startFleet(t, Config{Devices: 200_000, Addressing: address.Path})
	for i := range f.Devices() {
		f.store.Report(i)
	}
	control := openControl(t, f)
	closed := make(chan error, 1)
	var last error
	n := 0
	for _, err := range control.Ledger(t.Context()) {
		if n++; n == 1 { // the rest, some 70 MB, is more than the sockets' buffers hold
			go func() { closed <- f.Close() }()
			<-f.server.Done()
		}
		last = err
	}
	require.NoError(t, <-closed)
	require.Error(t, last)
	require.Less(t, n, f.Devices())
}

func TestAClientThatDoesNotReadCannotHoldUpClose(t *testing.T) {
	f := startFleet(t, Config{Devices: 200_000, Addressing: address.Path})
	for i := range f.Devices() {
		f.store.Report(i)
	}
	for range openControl(t, f).Ledger(t.Context()) {
		require.NoError(t, f.Close())
		break
	}
}

// TestMetricsAreInPrometheusTextFormat checks that the parser of Prometheus reads GET /metrics.
func TestMetricsAreInPrometheusTextFormat(t *testing.T) {
	f := startFleet(t, Config{Devices: 10, Addressing: address.Path})
	status, _ := update{artifact: []byte("x")}.send(t, newClient(t), f.DeviceAddress(3))
	require.Equal(t, http.StatusOK, status)
	request, err := http.NewRequest(http.MethodGet, f.Ready().Control+"/metrics", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+f.Ready().Token)
	response, err := newClient(t).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, response.Header.Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	require.NoError(t, err)
	require.Greater(t, len(families), 30)
	for name, family := range families {
		require.Regexp(t, `^[A-Z].*\.$`, family.GetHelp(), name)
		require.NotEmpty(t, family.GetMetric(), name)
	}
	require.EqualValues(t, 10, families["fleetmark_fleet_devices"].GetMetric()[0].GetGauge().GetValue())
	require.EqualValues(t, 1, families["fleetmark_fleet_applied"].GetMetric()[0].GetGauge().GetValue())
	require.EqualValues(t, 1, families["fleetmark_fleet_requests_total"].GetMetric()[0].GetCounter().GetValue())
	stages := families["fleetmark_fleet_stage_devices"].GetMetric()
	require.Len(t, stages, len(ledger.Stages()))
	sum := 0.0
	for _, m := range stages {
		sum += m.GetGauge().GetValue()
	}
	require.EqualValues(t, 10, sum)
}

func TestTheTokenShowsOnlyInReadysJSON(t *testing.T) {
	const token = "do-not-show-this"
	cfg := Config{Devices: 1, Addressing: address.Path, Token: token}
	f := startFleet(t, cfg)
	ready, err := json.Marshal(f.Ready())
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"address":%q,"control":%q,"token":%q}`, f.Ready().Address, f.Ready().Control, token),
		string(ready))
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{cfg, &cfg, cfg.Token, f, f.Ready(), *openControl(t, f)} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	encoded, err := json.Marshal(cfg)
	require.NoError(t, err)
	printed.Write(encoded)
	require.NotContains(t, printed.String(), token)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", token))
	require.Contains(t, printed.String(), redacted)

	a, b := startFleet(t, Config{Devices: 1, Addressing: address.Path}), startFleet(t,
		Config{Devices: 1, Addressing: address.Path})
	require.Regexp(t, "^[0-9a-f]{64}$", a.Ready().Token)
	require.NotEqual(t, a.Ready().Token, b.Ready().Token)
}

// TestTheControlClientGivesUpIdleConnectionsBeforeThePortDoes checks the idle time of the client.
// net/http doesn't send a POST again over another connection if the server closed the first one
// (RFC 9110 §9.2.2), so the client has to be the first to give up an idle connection.
func TestTheControlClientGivesUpIdleConnectionsBeforeThePortDoes(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Path})
	transport, ok := openControl(t, f).client.Transport.(*http.Transport)
	require.True(t, ok)
	require.Less(t, transport.IdleConnTimeout, f.control.server.IdleTimeout)
}
