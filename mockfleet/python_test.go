package mockfleet

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// pythonClient updates a device with both HTTP clients of Python, with every framing of a body that
// they have, and asks for the version after each update. It prints a line for each answer: the
// status and the JSON. An answer other than 2xx raises an exception in urllib.
const pythonClient = `
import http.client, json, sys, urllib.parse, urllib.request
device, name = sys.argv[1:]

def say(response):
    print(json.dumps([response.status, json.load(response)]))

def whole():
    with open(name, "rb") as file:
        return file.read()

def pieces():
    with open(name, "rb") as file:
        while piece := file.read(10_000):
            yield piece

for body in whole, lambda: open(name, "rb"), pieces:
    say(urllib.request.urlopen(device + "/update", data=body()))
    say(urllib.request.urlopen(device + "/version"))

at = urllib.parse.urlsplit(device)
kept = http.client.HTTPConnection(at.netloc)
for body in whole, lambda: open(name, "rb"), pieces:
    kept.request("POST", at.path + "/update", body=body())
    say(kept.getresponse())
    kept.request("GET", at.path + "/version")
    say(kept.getresponse())
kept.close()
`

func TestPythonUpdatesAndVerifies(t *testing.T) {
	const updates = 6                   // three by each client
	const connections = 2*updates/2 + 1 // urllib closes each, http.client keeps one
	python := program(t, "python3")
	for name, size := range map[string]int{"small": 1024,
		"large": 100_000} { // what fits into the read buffer, and what doesn't
		artifact := bytes.Repeat([]byte("x"), size)
		file := inFile(t, "firmware.bin", artifact)
		for _, a := range addressings() {
			t.Run(name+"/"+string(a), func(t *testing.T) {
				f := startFleet(t, Config{Devices: 5, Addressing: a})
				output := mustSay(t, python, "-c", pythonClient, f.DeviceAddress(3), file)
				lines := strings.Split(strings.TrimSpace(output), "\n")
				require.Len(t, lines, 2*updates)
				for i, line := range lines {
					var status int
					if i%2 == 0 {
						var answer wire.UpdateAnswer
						require.NoError(t, json.Unmarshal([]byte(line), &[]any{&status, &answer}))
						message := "already"
						if i == 0 {
							message = "applied"
						}
						require.Equal(t, wire.UpdateAnswer{Success: true, Message: message, Size: int64(size), Digest: sha(artifact)},
							answer)
					} else {
						var answer wire.VersionAnswer
						require.NoError(t, json.Unmarshal([]byte(line), &[]any{&status, &answer}))
						require.Equal(t, []string{address.DeviceID(3), sha(artifact), "idle"},
							[]string{answer.DeviceID, answer.Digest, string(answer.State)})
					}
					require.Equal(t, 200, status)
				}
				e := settled(t, f, 3)
				require.Equal(t, []uint32{updates, 1, updates - 1, updates}, []uint32{e.Pushes, e.Applied, e.Repeats, e.Verifies})
				require.Equal(t, sha(artifact), e.Digest)
				total := f.Status()
				require.EqualValues(t, connections, total.ConnectionsTotal)
				require.Zero(t, total.Rejected+total.Incomplete+total.Malformed+total.AcceptErrors)
			})
		}
	}
}
