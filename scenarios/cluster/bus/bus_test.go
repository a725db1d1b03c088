package bus

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// within returns a context that ends a test that hangs.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// serve starts a server on a free port that ends with the test.
func serve(t *testing.T, o ServerOptions) *Server {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	s, err := Serve(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// join connects over the network, until the test ends.
func join(t *testing.T, o ConnectOptions) *nats.Conn {
	t.Helper()
	nc, err := Connect(within(t), o)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// makeKeys makes a set of keys for this machine.
func makeKeys(t *testing.T, o KeyOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, MakeKeys(dir, o))
	return dir
}

// leaks checks that a test leaves no goroutine. It is called first, so that it checks last.
func leaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// TestRun does what a run does: the controller makes a stream and a bucket, an agent takes an
// artifact, answers a question and publishes a result twice, and the controller takes it once.
func TestRun(t *testing.T) {
	for name, secure := range map[string]bool{"keys": true, "loopback": false} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			ctx := within(t)
			var keys string
			if secure {
				keys = makeKeys(t, KeyOptions{})
			}
			s := serve(t, ServerOptions{Keys: keys})
			controller, err := s.Connect(ctx, ConnectOptions{Role: Controller})
			require.NoError(t, err)
			defer controller.Close()
			var refused []error
			agent := join(t, ConnectOptions{URL: s.URL(), Keys: keys, Role: Agent, Name: "a",
				OnError: func(err error) { refused = append(refused, err) }})

			js, err := jetstream.New(controller)
			require.NoError(t, err)
			stream, err := RunStream(ctx, js, Prefix+"r1", []string{"fleetmark.r1.agents.*.results"})
			require.NoError(t, err)
			results, err := Consumer(ctx, stream, "controller")
			require.NoError(t, err)
			bucket, err := Objects(ctx, js, Prefix+"r1")
			require.NoError(t, err)
			artifact := bytes.Repeat([]byte("firmware"), 200_000)
			_, err = bucket.PutBytes(ctx, "artifact", artifact)
			require.NoError(t, err)

			commands, err := agent.SubscribeSync("fleetmark.r1.commands.start")
			require.NoError(t, err)
			require.NoError(t, agent.Flush())
			answered := make(chan error, 1)
			go func() {
				m, err := commands.NextMsgWithContext(ctx)
				if err == nil {
					err = m.Respond([]byte("ready"))
				}
				answered <- err
			}()
			answer, err := controller.RequestWithContext(ctx, "fleetmark.r1.commands.start", nil)
			require.NoError(t, err)
			require.Equal(t, "ready", string(answer.Data))
			require.NoError(t, <-answered)

			agentJS, err := jetstream.New(agent)
			require.NoError(t, err)
			agentBucket, err := agentJS.ObjectStore(ctx, Prefix+"r1")
			require.NoError(t, err)
			got, err := agentBucket.GetBytes(ctx, "artifact")
			require.NoError(t, err)
			require.True(t, bytes.Equal(artifact, got), "the artifact came whole")
			for range 2 { // the second one replaces the first
				_, err = agentBucket.PutBytes(ctx, "a.tar", artifact)
				require.NoError(t, err)
			}
			for i, twice := range []bool{false, true} {
				ack, err := agentJS.Publish(ctx, "fleetmark.r1.agents.a.results", []byte("42"), jetstream.WithMsgID("a-1"))
				require.NoError(t, err)
				require.Equal(t, twice, ack.Duplicate, "publish %d", i)
			}
			m, err := results.Next(jetstream.FetchContext(ctx))
			require.NoError(t, err)
			require.Equal(t, "42", string(m.Data()))
			require.NoError(t, m.DoubleAck(ctx))
			info, err := stream.Info(ctx)
			require.NoError(t, err)
			require.Zero(t, info.State.Msgs, "what was acknowledged is gone")

			left, err := Left(ctx, js)
			require.NoError(t, err)
			require.Equal(t, []string{Prefix + "r1"}, left)
			require.NoError(t, CleanUp(ctx, agentJS, Prefix+"r1"), "an agent removes what a lost controller left")
			require.NoError(t, CleanUp(ctx, agentJS, Prefix+"r1"), "nothing left is no error")
			left, err = Left(ctx, js)
			require.NoError(t, err)
			require.Empty(t, left)
			require.Empty(t, refused)
		})
	}
}
