package mockfleet

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// addressings returns the addressing modes that this system has.
func addressings() []address.Mode {
	if address.DefaultMode() == address.IP {
		return []address.Mode{address.IP, address.Port, address.Path}
	}
	return []address.Mode{address.Port, address.Path}
}

func TestFaultsOfAConnection(t *testing.T) {
	const get = "GET %/health HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, test := range []struct {
		fault string
		ends  string
	}{
		{"reset-on-accept", "reset"},
		{"close-on-accept", "closed"},
	} {
		for _, a := range addressings() {
			t.Run(test.fault+"/"+string(a), func(t *testing.T) {
				f := startFleet(t, Config{Devices: 2, Addressing: a})
				require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: test.fault, First: 2})))
				request := []byte(strings.ReplaceAll(get, "%", path(f, 0, "")))
				for range 2 {
					asked := ""
					if a == address.Path { // in other modes, the fault acts without a request
						asked = string(request)
					}
					all, end := visit(t, f, 0, asked)
					require.Equal(t, []string{"", test.ends}, []string{all, end})
				}
				require.Contains(t, exchangeWith(t, f, 0, string(request)), "200 OK")
				require.Contains(t, exchangeWith(t, f, 1, strings.ReplaceAll(get, "%", path(f, 1, ""))), "200 OK")
				e := settled(t, f, 0)
				require.Positive(t, e.ContactedNS)
				e.ContactedNS = 0 // when, differs from run to run
				require.Equal(t, ledger.Entry{
					ID: address.DeviceID(0), Counts: ledger.Counts[uint32]{ConnectionsAborted: 2},
					Faults: map[string]uint32{test.fault: 2}, Version: "1.0.0", State: "idle", Stage: ledger.StageIdle,
				}, e)
				require.EqualValues(t, 2, f.Status().ConnectionsAborted)
			})
		}
	}
}

func TestABlackholeReadsAndSaysNothingUntilItsClientLeaves(t *testing.T) {
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: a, Behavior: withFaults(fault.Fault{Kind: "blackhole"})})
			c := mustDialDevice(t, f, 0)
			_, err := c.Write(pushRequest(path(f, 0, "/update"), make([]byte, 8<<20))) // more than the kernel holds
			require.NoError(t, err)
			require.Eventually(t, func() bool { return f.Status().BytesIn >= 8<<20 }, testDeadline, time.Millisecond)
			require.EqualValues(t, 1, f.Status().Connections)
			require.Zero(t, f.Status().BytesOut)
			require.NoError(t, c.Close())
			e := settled(t, f, 0)
			require.Equal(t, []uint32{1, 0}, []uint32{e.ConnectionsAborted, e.Pushes})
		})
	}
}

func TestAHangEndsWithItsClient(t *testing.T) {
	for name, b := range map[string]behavior.Behavior{
		"latency":          {Latency: delayOf(t, random.MaxDuration)},
		"slow-answer":      withFaults(fault.Fault{Kind: "slow-answer", Delay: delayOf(t, random.MaxDuration)}),
		"drip-answer":      withFaults(fault.Fault{Kind: "drip-answer", Delay: delayOf(t, random.MaxDuration)}),
		"stall-mid-upload": withFaults(fault.Fault{Kind: "stall-mid-upload", AfterBytes: exactly(t, 100)}),
		"blackhole":        withFaults(fault.Fault{Kind: "blackhole"}),
	} {
		for leaving, leave := range map[string]func(c bareClient){
			"close": func(c bareClient) { require.NoError(t, c.Close()) },
			"reset": func(c bareClient) {
				require.NoError(t, c.SetLinger(0))
				require.NoError(t, c.Close())
			},
		} {
			for _, mode := range []behavior.TLSMode{behavior.TLSNone, behavior.TLSGood} {
				t.Run(name+"/"+leaving+"/tls="+string(mode), func(t *testing.T) {
					f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: b, TLS: mode})
					c := mustDialDevice(t, f, 0)
					var over io.ReadWriter = c
					if mode != behavior.TLSNone && name != "blackhole" {
						over = clientTLS(t, f, c)
					}
					_, err := over.Write(pushRequest("/update", make([]byte, 5000)))
					require.NoError(t, err)
					require.Eventually(t, func() bool {
						s := f.Status()
						return s.Applied+s.Incomplete+s.ConnectionsAborted == 1
					}, testDeadline, time.Millisecond)
					require.EqualValues(t, 1, f.Status().Connections)
					leave(c)
					settled(t, f, 0)
				})
			}
		}
	}
}

func TestIdleCloseClosesAConnectionThatIsUsedAgain(t *testing.T) {
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: a,
				Behavior: withFaults(fault.Fault{Kind: "idle-close", First: 1})})
			request := []byte("GET " + path(f, 0, "/version") + " HTTP/1.1\r\nHost: a\r\n\r\n")
			c := mustDialDevice(t, f, 0)
			answers := bufio.NewReader(c)
			c.send(request)
			response, _ := c.response(answers)
			require.False(t, response.Close)
			c.send(request)
			all, end := c.rest()
			require.Equal(t, []string{"", "closed"}, []string{all, end})
			require.NoError(t, c.Close())

			c = mustDialDevice(t, f, 0) // the fault acts on the first attempt only
			answers = bufio.NewReader(c)
			for range 3 {
				c.send(request)
				c.response(answers)
			}
			require.NoError(t, c.Close())
			e := settled(t, f, 0)
			require.Equal(t, map[string]uint32{"idle-close": 1}, e.Faults)
			require.Equal(t, []uint32{1, 4}, []uint32{e.ConnectionsAborted, e.Verifies})
		})
	}
}

func TestOfflineAndFlappingWhereDevicesShareAListener(t *testing.T) {
	for _, a := range addressings() {
		if a == address.Port {
			continue
		}
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 2, Addressing: a})
			request := "GET " + path(f, 0, "/health") + " HTTP/1.1\r\nHost: a\r\n\r\n"
			kept := mustDialDevice(t, f, 0)
			kept.send([]byte(request))
			kept.response(bufio.NewReader(kept))
			require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "offline"})))
			kept.send([]byte(request))
			_, end := kept.rest()
			require.Equal(t, "reset", end)
			_, end = visit(t, f, 0, request)
			require.Equal(t, "reset", end)

			require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "flapping"})))
			for n := range 4 {
				if all, end := visit(t, f, 0, request); n%2 == 0 {
					require.Equal(t, []string{"", "reset"}, []string{all, end})
				} else {
					require.Contains(t, all, "200 OK")
				}
			}
		})
	}
}
