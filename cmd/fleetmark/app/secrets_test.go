package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// Made-up secrets that the test puts where real ones may be.
const (
	plantedToken    = "planted-token-0d1f7c"    // FLEETMARK_FLEET_TOKEN
	plantedBearer   = "planted-bearer-93ab5e"   // Authorization
	plantedTenant   = "planted-tenant-77e2d4"   // a header whose name doesn't suggest a secret
	plantedPassword = "planted-password-b6c013" // in an address
)

// TestNoSecretIsWrittenAnywhere runs the command as users do, with secrets in all places where they
// may be, and checks that nothing it writes or prints contains one.
func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said") // standard output and error of every command
	require.NoError(t, os.Mkdir(said, 0o700))
	for name, text := range map[string]string{
		"secret.yaml": `name: secret
fleet: {devices: 300, addressing: path, behavior: {fail_first: 1, require: [{name: Authorization}, {name: X-Tenant}]}}
artifact: {size: 1KiB}
client:
  retry_base: 1ms
  retry_cap: 1ms
  headers:
    - {name: Authorization, env: PLANTED_BEARER}
    - {name: X-Tenant, env: PLANTED_TENANT}
repetitions: 12
warmup: 1
profiled: 1
`,
		"failing.yaml": `name: failing
extends: secret.yaml
fleet: {behavior: {fail_first: 9}}
client: {max_attempts: 1}
repetitions: 2
`,
		"value.yaml":  "name: value\nclient:\n  headers: [{name: Authorization, value: Bearer " + plantedBearer + "}]\n",
		"devices.txt": "http://user:" + plantedPassword + "@127.0.0.1:1\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	address, control, token := startFleet(t, dir)
	env := []string{"PLANTED_BEARER=Bearer " + plantedBearer, "PLANTED_TENANT=" + plantedTenant, tokenEnv + "=" + token}
	n := 0
	run := func(code int, args ...string) ended {
		t.Helper()
		n++
		got := fleetmark(t, dir, env, args...)
		require.Equal(t, code, got.code, "%v\n%s%s", args, got.stdout, got.stderr)
		for stream, text := range map[string]string{"out": got.stdout, "err": got.stderr} {
			require.NoError(t, os.WriteFile(filepath.Join(said, fmt.Sprintf("%02d.%s", n, stream)), []byte(text), 0o600))
		}
		return got
	}

	run(cli.ExitPass, "run", "secret.yaml", "--progress", "json")
	run(cli.ExitPass, "run", "secret.yaml", "--fleet", address, "--fleet-control", control, "--json", "--out", "outside",
		"--progress", "lines")
	run(cli.ExitInvalid, "run", "failing.yaml", "--no-progress", "--json", "--out", "failed") // nothing succeeded
	inside, outside, failed := only(t, dir, "runs"), only(t, dir, "outside"), only(t, dir, "failed")
	require.FileExists(t, filepath.Join(dir, inside, "profiles", "cpu.1.pb.gz"))
	require.FileExists(t, filepath.Join(dir, inside, "latency.hlog"))
	failures, err := os.ReadFile(filepath.Join(dir, failed, "failures.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, failures)

	run(cli.ExitPass, "baseline", "--from", inside)
	run(cli.ExitPass, "gate", "--portable", "--run", inside, "--markdown", "gate.md", "--json")
	run(cli.ExitPass, "gate", "--portable", "secret.yaml", "--out", "gated", "--markdown", "gated.md")
	run(cli.ExitInvalid, "gate", "--run", failed, "--markdown", "failed.md")
	run(cli.ExitInconclusive, "gate", "--run", outside, "--json")
	run(cli.ExitPass, "report", inside, "--markdown", "report.md")
	run(cli.ExitPass, "report", failed)
	env = append(env, cli.StepSummaryEnv+"="+filepath.Join(dir, "summary.md"))
	run(cli.ExitPass, "gate", "--portable", "--run", inside, "--html", "gate.html", "--junit", "gate.xml", "--github")
	run(cli.ExitInvalid, "gate", "failing.yaml", "--run", failed, "--html", "failed.html", "--junit", "failed.xml",
		"--github")
	run(cli.ExitPass, "report", inside, "--html", "report.html", "--comment", "comment.md", "--junit", "report.xml",
		"--json=report.json", "--github")
	run(cli.ExitPass, "report", inside, "--base", outside, "--html", "both.html")
	for _, name := range []string{"summary.md", "gate.html", "failed.xml", "comment.md", "report.json", "both.html",
		filepath.Join(inside, "report.html")} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	run(cli.ExitPass, "compare", "BASELINE_METRICS.md", inside, "--json")
	run(cli.ExitPass, "runs", "--json")
	run(cli.ExitPass, "runs")
	run(cli.ExitPass, "profile", "top", inside, "--kind", "allocs")
	run(cli.ExitPass, "scenarios", "show", "secret.yaml")
	run(cli.ExitPass, "scenarios", "validate", "secret.yaml")

	// A value that is refused isn't quoted in the message.
	withPassword := "http://user:" + plantedPassword + "@127.0.0.1:1"
	run(cli.ExitUsage, "run", "secret.yaml", "--fleet", withPassword)
	run(cli.ExitUsage, "run", "secret.yaml", "--fleet", address, "--fleet-control", withPassword)
	run(cli.ExitUsage, "run", "secret.yaml", "--devices-from", "devices.txt")
	run(cli.ExitUsage, "run", "value.yaml")
	run(cli.ExitUsage, "gate", "value.yaml")
	run(cli.ExitUsage, "gate", "secret.yaml", "--set", "client.headers=[{name: Authorization, value: "+plantedBearer+"}]")
	run(cli.ExitUsage, "scenarios", "validate", "value.yaml")
	env = env[:2]
	env = append(env, tokenEnv+"="+plantedToken) // a wrong one
	run(cli.ExitUsage, "run", "secret.yaml", "--fleet", address, "--fleet-control", control)
	// Without a baseline, the run's times can't change its exit code.
	require.NoError(t, os.Rename(filepath.Join(dir, "BASELINE_METRICS.md"), filepath.Join(dir, "page.md")))
	run(cli.ExitPass, "run", "secret.yaml", "--no-progress", "--out", "asked-by-nobody")

	for _, name := range []string{"value.yaml", "devices.txt"} { // files that the test wrote
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	files := requireNoSecret(t, dir, []string{plantedToken, plantedBearer, plantedTenant, plantedPassword, token})
	require.Greater(t, files, 60, "the runs, their profiles and the output")
}

// startFleet starts a fleet of its own for path addressing, until the test ends.
func startFleet(t *testing.T, dir string) (address, control, token string) {
	t.Helper()
	cmd, _ := command(t, "fleet", "--devices", "300", "--addressing", "path", "--scenario",
		filepath.Join(dir, "secret.yaml"))
	cmd.Env = append(os.Environ(), "PLANTED_BEARER=x", "PLANTED_TENANT=x")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // with the signal
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	var ready struct{ Address, Control, Token string }
	require.NoError(t, json.Unmarshal([]byte(line), &ready))
	require.NotEmpty(t, ready.Token)
	return ready.Address, ready.Control, ready.Token
}

// only returns the only run directory in a folder, relative to dir.
func only(t *testing.T, dir, folder string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, folder, "*"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	relative, err := filepath.Rel(dir, found[0])
	require.NoError(t, err)
	return relative
}
