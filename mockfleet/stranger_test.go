package mockfleet

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

func curl(t *testing.T, arguments ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--fail", "--max-time", "20", "--noproxy", "*"}, arguments...)...)
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, stderr.String())
	return string(output)
}

// curl knows nothing of this project: it updates and verifies devices without special flags.
func TestCurlUpdatesAndVerifies(t *testing.T) {
	artifact := bytes.Repeat([]byte("firmware "), 400_000) // large enough that curl expects a 100
	file := filepath.Join(t.TempDir(), "firmware.bin")
	require.NoError(t, os.WriteFile(file, artifact, 0o600))
	for _, a := range []Addressing{DefaultAddressing(), AddressPort, AddressPath} {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 5, Addressing: a})
			for _, form := range [][]string{nil, {"--http1.0"}, {"-H", "Transfer-Encoding: chunked"}} {
				f.Reset()
				device := f.DeviceAddress(3)
				var answer wire.UpdateAnswer
				output := curl(t, append(form, "--data-binary", "@"+file, device+"/update")...)
				require.NoError(t, json.Unmarshal([]byte(output), &answer))
				require.Equal(t, wire.UpdateAnswer{Success: true, Message: "applied", Size: int64(len(artifact)), Digest: sha(artifact)}, answer)

				var version wire.VersionAnswer
				require.NoError(t, json.Unmarshal([]byte(curl(t, device+"/version")), &version))
				require.Equal(t, sha(artifact), version.Digest)
				require.Equal(t, "sha256-"+sha(artifact)[:12], version.Version)
				require.Equal(t, wire.HealthBody, curl(t, device+"/health"))
			}
			var status Status
			output := curl(t, "-H", "Authorization: Bearer "+f.Ready().Token, f.Ready().Control+"/fleet")
			require.NoError(t, json.Unmarshal([]byte(output), &status))
			require.EqualValues(t, 1, status.Updated)
			ledger := curl(t, "-H", "Authorization: Bearer "+f.Ready().Token, f.Ready().Control+"/ledger")
			require.Equal(t, 1, strings.Count(ledger, "\n"))
			require.Contains(t, ledger, `"digest":"`+sha(artifact)+`"`)
		})
	}
}
