package runner

import (
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// noopCommand returns the command of a client that does nothing, and says that it has succeeded.
func noopCommand() []string { return []string{"/usr/bin/env", asNoop + "=1", os.Args[0]} }

// TestProcessClient_profiles checks that profiles come from the processes of the client, of all of
// them together if each is told an address, and that a note says so if they can't be had.
func TestProcessClient_profiles(t *testing.T) {
	testenv.Slow(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server := httptest.NewServer(mux) // the address stands for that of a client; here it is this process
	gone := httptest.NewServer(mux)
	gone.Close()
	defer server.Close()
	own := append(noopCommand(), scenarios.PprofPlaceholder)
	for name, row := range map[string]struct {
		command    []string
		address    string
		processes  int
		note       string
		operations bool // whether the profiles say how many operations they cover
	}{
		"of one process":            {noopCommand(), server.URL, 1, "", true},
		"of one of several":         {noopCommand(), server.URL, 2, "", false},
		"gone":                      {noopCommand(), gone.URL, 1, "profiles of the client are missing: ", false},
		"each its own":              {own, "", 3, "", true},
		"served by none of several": {append(noopCommand(), "127.0.0.1:0", "{pprof}"), "", 2, "connection refused; and of 1 other processes", false},
		"nowhere":                   {noopCommand(), "", 1, "there are no profiles of the client: {pprof} in client.command tells", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			s.Client.Command, s.Client.Pprof, s.Client.Processes = row.command, row.address, row.processes
			s.Load.Operation, s.Load.Workers = delivery.OpPush, 1
			s.Repetitions, s.Warmup, s.Profiled = 1, 0, 1
			res, err := Run(t.Context(), options(t, s))
			require.NoError(t, err)
			notes := strings.Join(res.Run.Notes, "\n")
			profile := filepath.Join(res.Directory, "profiles", "allocs.1.pb.gz")
			if row.note != "" {
				require.NoFileExists(t, profile)
				require.Contains(t, notes, row.note)
				return
			}
			require.NotContains(t, notes, "profiles of the client")
			p, err := profiles.Load(profile)
			require.NoError(t, err)
			require.Equal(t, row.operations, profiles.Operations(p) == int64(s.Fleet.Devices), "%s", p.Comments)
		})
	}
}

// TestSession_profileOfProcesses checks that a session can profile processes over several
// repetitions, and that these share the processes meanwhile.
func TestSession_profileOfProcesses(t *testing.T) {
	testenv.Slow(t)
	s := small()
	s.Client.Command, s.Client.Processes = append(noopCommand(), scenarios.PprofPlaceholder), 2
	s.Load.Operation, s.Load.Workers = delivery.OpPush, 2
	session, err := OpenSession(t.Context(), options(t, s))
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	release := session.HoldProcesses()
	_, err = session.Repeat(t.Context(), s.Load, WarmUp, nil)
	require.NoError(t, err)
	running := session.current.Load().pool().Usage().Processes
	require.Len(t, running, 2)
	dir := t.TempDir()
	config := capture.Config{Kinds: []profiles.Kind{profiles.Allocs}}
	end, err := session.Profile(t.Context(), &ProfileTarget{Dir: dir, Number: 7, Config: config}, 0)
	require.NoError(t, err)
	_, err = session.Repeat(t.Context(), s.Load, WarmUp, nil)
	require.NoError(t, err)
	require.Equal(t, running, session.current.Load().pool().Usage().Processes)
	require.NoError(t, end(12, time.Second))
	require.NoError(t, release())
	require.Empty(t, session.current.Load().pool().Usage().Processes)
	p, err := profiles.Load(filepath.Join(dir, "allocs.7.pb.gz"))
	require.NoError(t, err)
	require.EqualValues(t, 12, profiles.Operations(p))
}

// TestProcessClient_run checks what a run says of a client in processes of its own, and what it
// leaves out.
func TestProcessClient_run(t *testing.T) {
	s := small()
	s.Client.Command, s.Client.Processes = noopCommand(), 2
	s.Load.Workers, s.Repetitions, s.Warmup, s.Profiled = 4, 1, 0, 0
	o := options(t, s)
	o.NoopClient = noopCommand()
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Client{
		Name: "runner.test", Package: "command:runner.test", Version: "no-op", Command: noopCommand(),
	}, res.Run.Client)
	require.Empty(t, res.Run.Transport)
	require.Regexp(t, `^the protocol costs \S+s an operation here`, res.Run.Notes[0])
	require.Equal(t, "4 workers share 2 operations at a time (client.processes × client.concurrency): "+
		"times include the wait for a process", res.Run.Notes[1])
	require.Contains(t, res.Run.Invalid[0], "the ledger knows nothing of it", "it pushed nothing")
	require.Zero(t, res.Run.Counts.Updated)
	r := res.Records[len(res.Records)-1]
	require.Equal(t, "deliver", r.Op)
	for unit, want := range map[string]bool{
		results.UnitMean: true, results.UnitRequests: true, results.UnitWire: true,
		results.UnitBytes: false, results.UnitAllocations: false,
	} {
		_, got := r.Value(unit)
		require.Equal(t, want, got, unit)
	}
	requests, _ := r.Value(results.UnitRequests)
	require.Zero(t, requests, "as the devices counted")
}

// TestWorkloadDigest_command checks that runs of two commands can be compared with each other, and
// neither with the client of this program.
func TestWorkloadDigest_command(t *testing.T) {
	digest := func(change func(*scenarios.ClientSpec)) string {
		s := small()
		change(&s.Client)
		d, err := WorkloadDigest(t.Context(), s)
		require.NoError(t, err)
		return d
	}
	own := digest(func(*scenarios.ClientSpec) {})
	python := digest(func(c *scenarios.ClientSpec) { c.Command, c.Directory = []string{"python3", "push.py"}, "clients" })
	node := digest(func(c *scenarios.ClientSpec) { c.Command, c.Processes = []string{"node", "push.mjs"}, 1 })
	eight := digest(func(c *scenarios.ClientSpec) { c.Command, c.Processes = []string{"node", "push.mjs"}, 8 })
	require.Equal(t, python, node)
	require.NotEqual(t, own, python)
	require.NotEqual(t, node, eight)
}

// TestLongest_command checks that times of a client.command are recorded up to its deadline.
func TestLongest_command(t *testing.T) {
	s := small()
	s.Client.Command, s.Client.Deadline, s.Load.Workers = []string{"push"}, scenarios.Duration(time.Hour), 4
	require.GreaterOrEqual(t, longest(s), 4*2*time.Hour, "four workers wait for each other's push and verification")
}
