package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// smallDisk mounts a file system of size bytes at a directory.
func smallDisk(t *testing.T, at string, size int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(at, 0o700))
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		testenv.Missing(t, "no file system can be mounted: "+err.Error())
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(at, 0)) })
}

// TestFullDisk runs on disks of increasing sizes, so that each file of a run directory is once the
// one that doesn't fit. Whichever it is, the command names it, exits with an error, and leaves
// either nothing or a directory marked as failed, with the repetitions that were written whole.
func TestFullDisk(t *testing.T) {
	testenv.Slow(t)
	testenv.Root(t)
	const page = 4 << 10 // a file system in memory allocates whole pages
	full := regexp.MustCompile(`runs(?:/[^/\s]+/)?(samples\.txt|latency\.hlog|failures\.jsonl|run\.json|profiles|report\.html|report\.md)?\S*: .*no space left on device`)
	found := map[string]bool{}
	for size, fits := 12*page, false; !fits; size += page {
		require.Less(t, size, 1<<20, "a run of this size fits")
		t.Run(fmt.Sprintf("%d KiB", size>>10), func(t *testing.T) {
			cmd, dir := perish(t)
			smallDisk(t, filepath.Join(dir, "runs"), size)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			path := runDirectory(t, dir)
			if fits = err == nil; fits {
				run, _ := requireTruth(t, path)
				require.Equal(t, results.StatusFinished, run.Status)
				require.FileExists(t, filepath.Join(path, rundir.ReportFile))
				return
			}
			said := full.FindStringSubmatch(stderr.String())
			require.NotNil(t, said, "%s", stderr.String())
			found[said[1]] = true
			if path == "" {
				require.Contains(t, []int{cli.ExitUsage, cli.ExitInvalid}, cmd.ProcessState.ExitCode())
				entries, err := os.ReadDir(filepath.Join(dir, "runs"))
				require.NoError(t, err)
				require.Empty(t, entries, "a run that can't begin leaves nothing")
				return
			}
			run, _ := requireTruth(t, path)
			if said[1] == rundir.HTMLFile || said[1] == rundir.ReportFile {
				require.Equal(t, cli.ExitUsage, cmd.ProcessState.ExitCode(), "%s", stderr.String())
				require.Equal(t, results.StatusFinished, run.Status,
					"only the reports didn't fit, which don't change what was measured")
				require.NoFileExists(t, filepath.Join(path, said[1]))
				return
			}
			require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode(), "%s", stderr.String())
			require.Equal(t, results.StatusFailed, run.Status)
			require.Equal(t, results.Invalid, run.Verdict)
			require.Regexp(t, full, strings.Join(run.Invalid, "\n"))
			for _, reason := range run.Invalid {
				require.NotContains(t, reason, "\n")
			}
			entries, err := os.ReadDir(path)
			require.NoError(t, err)
			for _, e := range entries {
				require.False(t, strings.HasPrefix(e.Name(), "."), "%s was left", e.Name())
			}
		})
	}
	for _, name := range []string{"", rundir.LatencyFile, rundir.RunFile, rundir.ProfilesName, rundir.HTMLFile} {
		require.Contains(t, found, name, "%v", found)
	}
	require.True(t, found[rundir.SamplesFile] || found[rundir.FailuresFile], "%v", found)
}
