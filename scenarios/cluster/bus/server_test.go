package bus

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// TestServe_refuses checks each reason not to start a server: one line that says what to do.
func TestServe_refuses(t *testing.T) {
	leaks(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	keys := makeKeys(t, KeyOptions{})
	old := makeKeys(t, KeyOptions{Now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), For: 24 * time.Hour})
	early := makeKeys(t, KeyOptions{Now: time.Now().Add(48 * time.Hour)})
	mixed := makeKeys(t, KeyOptions{})
	copyFile(t, filepath.Join(keys, "ca.pem"), filepath.Join(mixed, "ca.pem"))
	lacking := makeKeys(t, KeyOptions{})
	require.NoError(t, os.Remove(filepath.Join(lacking, "agent.pub")))
	used := t.TempDir()
	serve(t, ServerOptions{Store: used})
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		o    ServerOptions
		want string
	}{
		"every address without keys": {ServerOptions{Listen: "0.0.0.0:0"},
			"address 0.0.0.0:0: a server listens only on loopback without keys: " +
				"make a set with `fleetmark cluster keys DIR`, and give --keys DIR"},
		"no host without keys":         {ServerOptions{Listen: ":0"}, "listens only on loopback without keys"},
		"IPv6 without keys":            {ServerOptions{Listen: "[::]:0"}, "listens only on loopback without keys"},
		"a name without keys":          {ServerOptions{Listen: "bench-1:0"}, "listens only on loopback without keys"},
		"a token isn't enough":         {ServerOptions{Listen: "192.0.2.1:0", Token: "x"}, "listens only on loopback without keys"},
		"no port":                      {ServerOptions{Listen: "127.0.0.1"}, `address "127.0.0.1": want HOST:PORT such as 127.0.0.1:4242`},
		"no such port":                 {ServerOptions{Listen: "127.0.0.1:65536"}, "want a number from 0 to 65535"},
		"no number":                    {ServerOptions{Listen: "127.0.0.1:nats"}, "want a number from 0 to 65535"},
		"port in use":                  {ServerOptions{Listen: taken.Addr().String()}, "can't be listened on: address already in use: end what has it"},
		"no address of this machine":   {ServerOptions{Listen: "192.0.2.1:0", Keys: keys}, "can't be listened on"},
		"a store in use":               {ServerOptions{Store: used}, "store " + used + " is in use by another server"},
		"a store that is a file":       {ServerOptions{Store: file}, "store " + file},
		"memory below 0":               {ServerOptions{MaxMemory: -1}, "want none below 0"},
		"keys and a token":             {ServerOptions{Keys: keys, Token: "x"}, "give one of them"},
		"no such keys":                 {ServerOptions{Keys: used}, filepath.Join(used, "server.pem") + " doesn't exist"},
		"keys without one":             {ServerOptions{Keys: lacking}, "agent.pub doesn't exist"},
		"keys that ended":              {ServerOptions{Keys: old}, "server.pem (server) ended at 2024-05-02 12:00:00 UTC: make a new set"},
		"keys that haven't begun":      {ServerOptions{Keys: early}, "server.pem (server) begins at "},
		"an authority of another set":  {ServerOptions{Keys: mixed}, "they are of two sets of keys"},
		"a store without room for one": {ServerOptions{Store: filepath.Join(file, "store")}, "store "},
	} {
		t.Run(name, func(t *testing.T) {
			if c.o.Listen == "" {
				c.o.Listen = "127.0.0.1:0"
			}
			_, err := Serve(c.o)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}

// TestServe_replacesUnsafeDefaults checks the options that nats-server would choose too generously.
func TestServe_replacesUnsafeDefaults(t *testing.T) {
	o, err := serverSettings(ServerOptions{Keys: makeKeys(t, KeyOptions{})}, "127.0.0.1", 0)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", o.Host)
	require.Equal(t, server.RANDOM_PORT, o.Port)
	require.True(t, o.NoSigs, "the signals are the command's")
	require.Zero(t, o.HTTPPort, "no monitoring port")
	require.Zero(t, o.HTTPSPort)
	require.Zero(t, o.ProfPort)
	require.Zero(t, o.Cluster.Port)
	require.Zero(t, o.LeafNode.Port)
	require.Zero(t, o.Gateway.Port)
	require.Zero(t, o.Websocket.Port)
	require.Zero(t, o.MQTT.Port)
	require.Empty(t, o.LogFile)
	require.Equal(t, int32(1<<20), o.MaxPayload)
	require.Equal(t, 8192, o.MaxConn)
	require.Equal(t, int64(256<<20), o.JetStreamMaxMemory)
	require.Equal(t, int64(1<<30), o.JetStreamMaxStore)
	require.True(t, o.TLSHandshakeFirst)
	require.Zero(t, o.TLSHandshakeFirstFallback)
	require.Len(t, o.Nkeys, 2)
	require.Empty(t, o.Users)
}

// TestServe_strangersLearnNothing checks what comes from a server with keys to somebody without: no
// byte, whatever they send.
func TestServe_strangersLearnNothing(t *testing.T) {
	leaks(t)
	s := serve(t, ServerOptions{Keys: makeKeys(t, KeyOptions{})})
	for name, text := range map[string]string{
		"NATS": "CONNECT {}\r\nPING\r\n",
		"HTTP": "GET /varz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"SSH":  "SSH-2.0-x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.Addr())
			require.NoError(t, err)
			defer func() { require.NoError(t, c.Close()) }()
			_, err = io.WriteString(c, text)
			require.NoError(t, err)
			got, _ := io.ReadAll(c) // until the server closes the connection, or resets it
			require.Empty(t, got)
		})
	}
	t.Run("silence", func(t *testing.T) {
		c, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		got, err := io.ReadAll(c) // until the server has waited long enough
		require.NoError(t, err)
		require.Empty(t, got)
		require.NoError(t, c.Close())
	})
}

// TestServe_loopbackIsNoWebServer checks that a server without keys has no HTTP.
func TestServe_loopbackIsNoWebServer(t *testing.T) {
	leaks(t)
	s := serve(t, ServerOptions{})
	c, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	got, _ := io.ReadAll(c)
	require.NotContains(t, string(got), "HTTP/1")
	require.True(t, strings.HasPrefix(string(got), "INFO {"), "the greeting of NATS, then an error: %q", got)
}

// TestServer_storeOutlivesARestart publishes, restarts the server on the same port and store, and
// finds the stream and the agent's connection again.
func TestServer_storeOutlivesARestart(t *testing.T) {
	leaks(t)
	ctx := within(t)
	keys, store := makeKeys(t, KeyOptions{}), filepath.Join(t.TempDir(), "made", "by", "the", "server")
	first, err := Serve(ServerOptions{Listen: "127.0.0.1:0", Keys: keys, Store: store, KeepStore: true})
	require.NoError(t, err)
	controller, err := first.Connect(ctx, ConnectOptions{Role: Controller})
	require.NoError(t, err)
	js, err := jetstream.New(controller)
	require.NoError(t, err)
	_, err = RunStream(ctx, js, Prefix+"r1", []string{"fleetmark.r1.agents.>"})
	require.NoError(t, err)
	type state struct {
		connected bool
		err       error
	}
	states := make(chan state, 16)
	agent := join(t, ConnectOptions{URL: first.URL(), Keys: keys, Role: Agent,
		OnState: func(connected bool, err error) { states <- state{connected, err} }})
	agentJS, err := jetstream.New(agent)
	require.NoError(t, err)
	_, err = agentJS.Publish(ctx, "fleetmark.r1.agents.a", []byte("before"))
	require.NoError(t, err)
	controller.Close()
	require.NoError(t, first.Close())
	lost := <-states
	require.False(t, lost.connected)
	require.ErrorContains(t, lost.err, "the connection was lost")
	require.NoError(t, agent.Publish("fleetmark.r1.agents.a", []byte("meanwhile")), "it waits for the server")

	second, err := Serve(ServerOptions{Listen: first.Addr(), Keys: keys, Store: store})
	require.NoError(t, err)
	require.Equal(t, state{connected: true}, <-states)
	require.NoError(t, agent.FlushWithContext(ctx))
	controller, err = second.Connect(ctx, ConnectOptions{Role: Controller})
	require.NoError(t, err)
	js, err = jetstream.New(controller)
	require.NoError(t, err)
	stream, err := js.Stream(ctx, Prefix+"r1")
	require.NoError(t, err)
	c, err := Consumer(ctx, stream, "controller")
	require.NoError(t, err)
	for _, want := range []string{"before", "meanwhile"} {
		m, err := c.Next(jetstream.FetchContext(ctx))
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data()))
	}
	controller.Close()
	agent.Close()
	require.NoError(t, second.Close())
	require.NoError(t, second.Close(), "closing again does nothing")
	require.NoDirExists(t, filepath.Join(store, "jetstream"), "no stream is left")
}

// TestServer_Close_leavesWhatOthersMade checks which files Close removes.
func TestServer_Close_leavesWhatOthersMade(t *testing.T) {
	leaks(t)
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.txt")
	require.NoError(t, os.WriteFile(mine, []byte("keep"), 0o600))
	made := filepath.Join(t.TempDir(), "made")
	for store, left := range map[string]bool{dir: true, made: false} {
		s, err := Serve(ServerOptions{Listen: "127.0.0.1:0", Store: store})
		require.NoError(t, err)
		require.DirExists(t, filepath.Join(store, "jetstream"))
		if runtime.GOOS != "windows" {
			info, err := os.Stat(made)
			require.True(t, err != nil || info.Mode().Perm() == 0o700, "nobody else reads a store")
		}
		require.NoError(t, s.Close())
		require.NoDirExists(t, filepath.Join(store, "jetstream"))
		_, err = os.Stat(store)
		require.Equal(t, left, err == nil, store)
	}
	require.FileExists(t, mine)
}

// TestServe_log checks that each message of the server is one line, whatever a client sends.
func TestServe_log(t *testing.T) {
	leaks(t)
	var mu sync.Mutex
	var log bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	})
	s, err := Serve(ServerOptions{Listen: "127.0.0.1:0", Log: w})
	require.NoError(t, err)
	c, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	_, err = io.WriteString(c, "CONNECT {\"verbose\":\"\x1b[31m\"}\r\n\x1b[31mred\r\n")
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, c)
	require.NoError(t, c.Close())
	require.NoError(t, s.Close())
	require.NotEmpty(t, log.String())
	for lines := bufio.NewScanner(&log); lines.Scan(); {
		require.Regexp(t, `^nats( warning| error)?: "[^[:cntrl:]]*"$`, lines.Text())
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestServer_MaxPayload checks that the largest message passes and that a larger one is refused.
func TestServer_MaxPayload(t *testing.T) {
	leaks(t)
	ctx := within(t)
	s := serve(t, ServerOptions{})
	nc, err := s.Connect(ctx, ConnectOptions{Role: Controller})
	require.NoError(t, err)
	defer nc.Close()
	require.Equal(t, int64(1<<20), nc.MaxPayload())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = RunStream(ctx, js, Prefix+"r1", []string{"fleetmark.r1.agents.>"})
	require.NoError(t, err)
	_, err = js.Publish(ctx, "fleetmark.r1.agents.a", make([]byte, 1<<20))
	require.NoError(t, err)
	_, err = js.Publish(ctx, "fleetmark.r1.agents.a", make([]byte, 1<<20+1))
	require.True(t, err != nil && !errors.Is(err, ctx.Err()) && strings.Contains(err.Error(), "maximum payload"), "%v", err)
}
