package bus

import (
	"bytes"
	"crypto/x509"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// TestMakeKeys checks names, modes and what the certificates say.
func TestMakeKeys(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := makeKeys(t, KeyOptions{Hosts: []string{"bench-1.example.com", "*.agents.svc", "192.0.2.7", "localhost"},
		For: 48 * time.Hour, Now: now, Random: rand.NewChaCha8([32]byte{1})})
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	mode := map[string]fs.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		mode[e.Name()] = info.Mode().Perm()
	}
	require.Equal(t, []string{"agent.key", "agent.nk", "agent.pem", "agent.pub", "ca.key", "ca.pem", "controller.key",
		"controller.nk", "controller.pem", "controller.pub", "nats.conf", "server.key", "server.pem"},
		slices.Sorted(maps.Keys(mode)))
	if runtime.GOOS != "windows" {
		for name, m := range mode {
			secret := strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".nk")
			require.Equal(t, secret, m == 0o600, "%s has mode %o", name, m)
		}
	}
	read := func(name string) *x509.Certificate {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		c, err := parseCertificate(text)
		require.NoError(t, err)
		return c
	}
	ca, pool := read("ca.pem"), x509.NewCertPool()
	pool.AddCert(ca)
	require.True(t, ca.IsCA)
	for name, use := range map[string]x509.ExtKeyUsage{"server.pem": x509.ExtKeyUsageServerAuth,
		"controller.pem": x509.ExtKeyUsageClientAuth, "agent.pem": x509.ExtKeyUsageClientAuth} {
		c := read(name)
		for at, valid := range map[time.Duration]bool{-time.Hour: false, 0: true, 47 * time.Hour: true, 49 * time.Hour: false} {
			_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now.Add(at), KeyUsages: []x509.ExtKeyUsage{use}})
			require.Equal(t, valid, err == nil, "%s after %v: %v", name, at, err)
		}
		require.False(t, c.IsCA, name)
		require.Equal(t, []x509.ExtKeyUsage{use}, c.ExtKeyUsage, name)
	}
	for host, named := range map[string]bool{"bench-1.example.com": true, "a.agents.svc": true, "192.0.2.7": true,
		"localhost": true, "127.0.0.1": true, "::1": true, "192.0.2.8": false, "agents.svc": false, "example.com": false} {
		require.Equal(t, named, read("server.pem").VerifyHostname(host) == nil, host)
	}

	again := makeKeys(t, KeyOptions{For: 48 * time.Hour, Now: now, Random: rand.NewChaCha8([32]byte{1})})
	other := makeKeys(t, KeyOptions{For: 48 * time.Hour, Now: now})
	for _, name := range []string{"ca.key", "agent.nk", "agent.pub"} {
		one, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		two, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		three, err := os.ReadFile(filepath.Join(other, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(one, two), "%s: the same random numbers", name)
		require.False(t, bytes.Equal(one, three), "%s: others", name)
	}
}

// TestMakeKeys_refuses checks bad options, and that no file is replaced and none is left over.
func TestMakeKeys_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    KeyOptions
		want string
	}{
		"too short":        {KeyOptions{For: time.Minute}, "keys for 1m0s: want from 1h0m0s to 17520h0m0s"},
		"too long":         {KeyOptions{For: 17521 * time.Hour}, "keys for 17521h0m0s: want"},
		"below 0":          {KeyOptions{For: -time.Hour}, "want from"},
		"with a port":      {KeyOptions{Hosts: []string{"bench-1:4242"}}, `host "bench-1:4242": want a name or an IP address, without a port`},
		"a URL":            {KeyOptions{Hosts: []string{"nats://bench-1"}}, "want a name"},
		"empty":            {KeyOptions{Hosts: []string{""}}, "want a name"},
		"a star inside":    {KeyOptions{Hosts: []string{"a.*.b"}}, "want a name"},
		"every address":    {KeyOptions{Hosts: []string{"::"}}, "agents can't connect to it"},
		"too few randoms":  {KeyOptions{Random: strings.NewReader("few")}, "random numbers for ca.key"},
		"a new line in it": {KeyOptions{Hosts: []string{"a\nb"}}, "want a name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			require.ErrorContains(t, MakeKeys(dir, c.o), c.want)
			require.NoDirExists(t, dir)
		})
	}
	dir := makeKeys(t, KeyOptions{})
	before, err := os.ReadFile(filepath.Join(dir, "agent.nk"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "agent.key")), "the first that would be written")
	require.ErrorContains(t, MakeKeys(dir, KeyOptions{}), "agent.nk exists: keys are never replaced")
	after, err := os.ReadFile(filepath.Join(dir, "agent.nk"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
	require.NoFileExists(t, filepath.Join(dir, "agent.key"), "half a set is none")
}

// TestBundle runs a controller and an agent, each with no other files than those of its bundle.
func TestBundle(t *testing.T) {
	leaks(t)
	all := makeKeys(t, KeyOptions{})
	machine := func(r Role) string {
		dir := t.TempDir()
		for _, name := range Bundle(r) {
			copyFile(t, filepath.Join(all, name), filepath.Join(dir, name))
		}
		return dir
	}
	s := serve(t, ServerOptions{Keys: machine(Controller)})
	nc, err := s.Connect(within(t), ConnectOptions{Role: Controller})
	require.NoError(t, err)
	nc.Close()
	join(t, ConnectOptions{URL: s.URL(), Keys: machine(Agent), Role: Agent})
	for _, r := range []Role{Controller, Agent, NATS} {
		require.NotContains(t, Bundle(r), "ca.key", "whoever has it makes agents")
	}
	require.NotContains(t, Bundle(Agent), "server.key")
	require.NotContains(t, Bundle(Agent), "controller.nk")
	require.NotContains(t, Bundle(Controller), "agent.nk")
	require.Nil(t, Bundle("nobody"))
}

// TestNATSConf starts a nats-server by the file that MakeKeys writes, with no other files than
// those of its bundle, and checks that it has the certificates, keys and permissions of the
// embedded one.
func TestNATSConf(t *testing.T) {
	leaks(t)
	all, dir := makeKeys(t, KeyOptions{}), t.TempDir()
	for _, name := range Bundle(NATS) {
		copyFile(t, filepath.Join(all, name), filepath.Join(dir, name))
	}
	t.Chdir(dir)
	o, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	embedded, err := serverSettings(ServerOptions{Keys: all}, "127.0.0.1", 0)
	require.NoError(t, err)
	require.Len(t, o.Nkeys, 2)
	for i, user := range o.Nkeys {
		require.Equal(t, "FLEETMARK", user.Account.Name)
		require.Equal(t, embedded.Nkeys[i].Nkey, user.Nkey)
		require.Equal(t, embedded.Nkeys[i].Permissions, user.Permissions)
	}
	require.Equal(t, embedded.TLSConfig.ClientAuth, o.TLSConfig.ClientAuth)
	require.Equal(t, embedded.TLSConfig.MinVersion, o.TLSConfig.MinVersion)
	require.Equal(t, embedded.TLSHandshakeFirst, o.TLSHandshakeFirst)
	require.Equal(t, embedded.TLSTimeout, o.TLSTimeout)
	require.Equal(t, embedded.MaxPayload, o.MaxPayload)
	require.Equal(t, embedded.PingInterval, o.PingInterval)
	require.Equal(t, embedded.JetStreamMaxMemory, o.JetStreamMaxMemory)
	require.Equal(t, embedded.JetStreamMaxStore, o.JetStreamMaxStore)

	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	require.True(t, s.ReadyForConnections(time.Minute))
	url := "tls://" + s.Addr().String()
	for _, r := range []Role{Controller, Agent} {
		join(t, ConnectOptions{URL: url, Keys: all, Role: r}).Close()
	}
	other := makeKeys(t, KeyOptions{})
	_, err = Connect(within(t), ConnectOptions{URL: url, Keys: other, Role: Agent})
	require.ErrorContains(t, err, "doesn't vouch for")
}
