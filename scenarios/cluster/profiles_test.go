package cluster

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// Names of environment variables that make this test's program a local agent: of the server at a
// URL, with its run directories below a directory.
const (
	agentServerEnv = "FLEETMARK_TEST_AGENT_SERVER"
	agentOutEnv    = "FLEETMARK_TEST_AGENT_OUT"
)

// beAgent is a local agent of the server at url, as StartLocal starts them.
func beAgent(url string) error {
	name, orders := os.Args[1], bufio.NewReader(os.Stdin)
	line, err := orders.ReadBytes('\n')
	var order LocalOrder
	if err = cmp.Or(err, json.Unmarshal(line, &order)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the parent
		_, _ = io.Copy(io.Discard, orders)
		cancel()
	}()
	conn, err := bus.Connect(ctx, bus.ConnectOptions{URL: url, Role: bus.Agent, Name: name, Token: order.Token})
	if err != nil {
		return err
	}
	defer conn.Close()
	return ServeAgent(ctx, conn, AgentOptions{
		Name: name, Host: "here", Out: filepath.Join(os.Getenv(agentOutEnv), name), Revision: "r1", Client: "delivery",
		Machine: results.Machine{Cores: 2, GOMAXPROCS: 2, Identity: "machine-of-" + name},
		Options: func() runner.Options { return runner.Options{Target: target.Options{Address: target.InProcess}} },
	})
}

// processes starts n agents, local-1 to local-n, in processes of their own: a process can profile
// only one repetition at a time.
func (c *testCluster) processes(t *testing.T, n int) {
	t.Helper()
	command := []string{"/usr/bin/env", agentServerEnv + "=" + c.server.URL(), agentOutEnv + "=" + c.dir, os.Args[0]}
	l, err := StartLocal(command, n, "", t.Output())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
}

// readProfile reads a profile by package profile alone, and returns the sum of its last column by
// the label agent.
func readProfile(t *testing.T, path string) (*profile.Profile, map[string]int64) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	p, err := profile.ParseData(text)
	require.NoError(t, err)
	sums := map[string]int64{}
	for _, s := range p.Sample {
		sums[strings.Join(s.Label["agent"], ",")] += s.Value[len(s.Value)-1]
	}
	return p, sums
}

// comment returns the value of a comment KEY=VALUE.
func comment(t *testing.T, p *profile.Profile, key string) string {
	t.Helper()
	found := ""
	for _, c := range p.Comments {
		if k, v, _ := strings.Cut(c, "="); k == key {
			require.Empty(t, found, "%s is there once", key)
			found = v
		}
	}
	return found
}

// TestRunWithAgents_profiles checks that the profiles of a merged run are those of its agents added
// up, and that the run's directory is read as any other.
func TestRunWithAgents_profiles(t *testing.T) {
	cluster := newTestCluster(t)
	cluster.processes(t, 2)
	s := spec(t, "profiled=1", "repetitions=1", "warmup=0", "load.duration=1s", "load.operation=push")
	got, err := run(t, cluster.controller(t, Options{Agents: 2}), cluster.options(s))
	require.NoError(t, err)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	for _, kind := range []profiles.Kind{profiles.CPU, profiles.Allocs, profiles.Heap} {
		files, err := profiles.Find(got.Path, kind)
		require.NoError(t, err)
		require.Len(t, files, 1)
		merged, sums := readProfile(t, files[0])
		whole, operations := map[string]int64{}, int64(0)
		for _, a := range got.Run.Agents.List {
			of, alone := readProfile(t, filepath.Join(cluster.dir, a.Name, a.Directory, rundir.ProfilesName,
				filepath.Base(files[0])))
			if n, ok := alone[""]; ok { // a short load may leave no sample of a kind
				whole[a.Name] = n
			}
			operations += profiles.Operations(of)
		}
		require.Equal(t, whole, sums, kind)
		require.Positive(t, sums["local-1"]+sums["local-2"], kind)
		require.Equal(t, operations, profiles.Operations(merged))
		require.Equal(t, got.Run.Machine.Identity, comment(t, merged, profiles.MachineLabel))
		samples, err := profiles.ReadSamples(t.Context(), files, profiles.Selection{Kind: kind},
			func(string, *profile.Profile) error { return nil })
		require.NoError(t, err)
		require.Equal(t, operations, samples.Operations)
	}
	notes := strings.Join(got.Run.Notes, "\n")
	require.Equal(t, 1, strings.Count(notes, "profiles/trace.1.out"), "the traces stay, and that is noted once: %s", notes)
	require.NoFileExists(t, filepath.Join(got.Path, rundir.ProfilesName, "trace.1.out"))
	left, err := bus.Left(t.Context(), jetStream(t, cluster.connect(t, bus.Controller)))
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays in JetStream")
}

// testArchive returns an archive of files with the given names, all with the same text.
func testArchive(t *testing.T, text string, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestExtract checks that an archive writes only profiles, and only into its directory.
func TestExtract(t *testing.T) {
	whole := testArchive(t, "x", "cpu.1.pb.gz", "heap.2.pb.gz")
	for _, row := range []struct {
		name    string
		archive []byte
		want    []string // files
		err     string   // part of the error
	}{
		{name: "profiles", archive: whole, want: []string{"cpu.1.pb.gz", "heap.2.pb.gz"}},
		{name: "nothing", archive: testArchive(t, "x")},
		{name: "cut", archive: whole[:1224], want: []string{"cpu.1.pb.gz"}, err: "EOF"},
		{name: "a file elsewhere", archive: testArchive(t, "x", "../cpu.1.pb.gz"),
			err: `"../cpu.1.pb.gz" is not the name of a profile`},
		{name: "another file", archive: testArchive(t, "x", "run.json"), err: `"run.json" is not the name of a profile`},
		{name: "twice", archive: testArchive(t, "x", "cpu.1.pb.gz", "cpu.1.pb.gz"), want: []string{"cpu.1.pb.gz"},
			err: "exists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			list, err := extract(bytes.NewReader(row.archive), dir)
			if row.err != "" {
				require.ErrorContains(t, err, row.err)
				require.Empty(t, list)
			} else {
				require.NoError(t, err)
				require.Len(t, list, len(row.want))
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			require.Equal(t, row.want, names)
		})
	}
}

func TestFindProfiles(t *testing.T) {
	dir := t.TempDir()
	list, others, err := findProfiles(dir)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Empty(t, others)
	in := filepath.Join(dir, rundir.ProfilesName)
	require.NoError(t, os.MkdirAll(filepath.Join(in, "fleet"), 0o700))
	for _, name := range []string{"cpu.1.pb.gz", "allocs.1.pb.gz", "trace.1.out", "cpu.x.pb.gz"} {
		require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte("x"), 0o600))
	}
	list, others, err = findProfiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(in, "allocs.1.pb.gz"), filepath.Join(in, "cpu.1.pb.gz")}, list)
	require.Equal(t, []string{"cpu.x.pb.gz", "fleet", "trace.1.out"}, others)
	require.NoError(t, os.Truncate(list[0], maxUpload))
	_, _, err = findProfiles(dir)
	require.EqualError(t, err, "they are larger than 64 MiB")
}

// TestProfileMerger_missing checks that what is lost of one agent is said, bounded, and takes
// nothing from the others.
func TestProfileMerger_missing(t *testing.T) {
	cluster := newTestCluster(t)
	js := jetStream(t, cluster.connect(t, bus.Controller))
	store, err := bus.Objects(t.Context(), js, runName("4f2a"))
	require.NoError(t, err)
	put := func(agent string, text []byte) profiledAgent {
		_, err := store.Put(t.Context(), jetstream.ObjectMeta{Name: profilesObject(agent)}, bytes.NewReader(text))
		require.NoError(t, err)
		return profiledAgent{agent, uploadState{Object: profilesObject(agent), Kept: []string{"trace.1.out"}}}
	}
	var good bytes.Buffer
	f := &profile.Function{ID: 1, Name: "example.com/m.F"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f, Line: 7}}}
	require.NoError(t, (&profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7,
		Sample:   []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{1, 1e7}}},
		Location: []*profile.Location{l}, Function: []*profile.Function{f},
	}).Write(&good))
	m := profileMerger{js: js, run: "4f2a", into: filepath.Join(t.TempDir(), rundir.ProfilesName), machine: "m",
		labeled: true}
	m.agents = []profiledAgent{
		put("a", testArchive(t, good.String(), "cpu.1.pb.gz")), put("b", testArchive(t, "no profile", "cpu.1.pb.gz")),
		put("c", []byte("no archive")), put("d", testArchive(t, good.String(), "cpu.1.pb.gz")),
		{"e", uploadState{Object: "profiles/e"}}, {"f", uploadState{Problem: "the network is slow"}},
	}
	notes := m.merge(t.Context())
	require.Len(t, notes, 5)
	for i, part := range []string{
		"agent c: its profiles are missing in the merged ones: ", "agent e: its profiles are missing in the merged ones: ",
		"agent f: its profiles are missing in the merged ones: the network is slow",
		"agent b: its profiles/cpu.1.pb.gz is missing in the merged one: ",
		"what can't be merged stays in the run directories of the agents: profiles/trace.1.out",
	} {
		require.Contains(t, notes[i], part)
	}
	_, sums := readProfile(t, filepath.Join(m.into, "cpu.1.pb.gz"))
	require.Equal(t, map[string]int64{"a": 1e7, "d": 1e7}, sums)

	for range 20 {
		m.agents = append(m.agents, profiledAgent{"x", uploadState{Problem: "it is gone"}})
	}
	notes = m.merge(t.Context())
	require.Len(t, notes, maxNamed+2)
	require.Equal(t, "and 16 more profiles are missing in the merged ones", notes[maxNamed])
}
