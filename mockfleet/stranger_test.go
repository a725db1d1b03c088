package mockfleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// everything is an environment variable that makes tests fail instead of skipping them if a program
// that Go doesn't bring, or the right to use it, is missing. .ci/run sets it.
const everything = "FLEETMARK_TEST_EVERYTHING"

// program returns the path of a program that isn't part of this module. If there is none, it skips
// the test, or fails it if everything is set.
func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.Empty(t, os.Getenv(everything), "%s is not installed", names[0])
	t.Skip(names[0] + " is not installed; .ci/run wants this test")
	return ""
}

// say runs a program to its end and returns its standard output. The error includes its standard
// error. Any goroutine may call say.
func say(ctx context.Context, name string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, testDeadline)
	defer cancel()
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), "no_proxy=*", "NO_PROXY=*") // the devices are on this machine
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", command, err, output, stderr.Bytes())
	}
	return string(output), err
}

func mustSay(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	output, err := say(t.Context(), name, arguments...)
	require.NoError(t, err)
	return output
}

// inFile writes content to a file that lasts as long as the test.
func inFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

func curl(t *testing.T, arguments ...string) string {
	t.Helper()
	return mustSay(t, program(t, "curl"), append([]string{"--silent", "--show-error", "--fail"}, arguments...)...)
}

// TestCurlUpdatesAndVerifies checks that curl, which knows nothing of this project, updates and
// verifies devices without special flags.
func TestCurlUpdatesAndVerifies(t *testing.T) {
	artifact := bytes.Repeat([]byte("firmware "), 400_000) // large enough that curl expects a 100
	file := inFile(t, "firmware.bin", artifact)
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 5, Addressing: a})
			for _, form := range [][]string{nil, {"--http1.0"}, {"-H", "Transfer-Encoding: chunked"}} {
				f.Reset()
				device := f.DeviceAddress(3)
				var answer wire.UpdateAnswer
				output := curl(t, append(form, "--data-binary", "@"+file, device+"/update")...)
				require.NoError(t, json.Unmarshal([]byte(output), &answer))
				require.Equal(t, wire.UpdateAnswer{Success: true, Message: "applied", Size: int64(len(artifact)),
					Digest: sha(artifact)}, answer)

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
