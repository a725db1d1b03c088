package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// TestRunStream_bounds checks what the server says of the stream, the consumer and the bucket.
func TestRunStream_bounds(t *testing.T) {
	leaks(t)
	ctx := within(t)
	nc, err := serve(t, ServerOptions{}).Connect(ctx, ConnectOptions{Role: Controller})
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for range 2 { // the second call finds it
		s, err := RunStream(ctx, js, Prefix+"r1", []string{"fleetmark.r1.agents.>"})
		require.NoError(t, err)
		info, err := s.Info(ctx)
		require.NoError(t, err)
		require.Equal(t, jetstream.WorkQueuePolicy, info.Config.Retention)
		require.Equal(t, jetstream.FileStorage, info.Config.Storage)
		require.Equal(t, jetstream.DiscardNew, info.Config.Discard, "a full stream refuses instead of losing results")
		require.Equal(t, int64(256<<20), info.Config.MaxBytes)
		require.Equal(t, 24*time.Hour, info.Config.MaxAge)
		require.Equal(t, 5*time.Minute, info.Config.Duplicates)
		require.Equal(t, 1, info.Config.Replicas)
		c, err := Consumer(ctx, s, "controller")
		require.NoError(t, err)
		of, err := c.Info(ctx)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, of.Config.AckWait)
		require.Equal(t, -1, of.Config.MaxDeliver, "a message never stays undelivered")
		_, err = Objects(ctx, js, Prefix+"r1")
		require.NoError(t, err)
		bucket, err := js.Stream(ctx, "OBJ_"+Prefix+"r1")
		require.NoError(t, err)
		require.Equal(t, 1, bucket.CachedInfo().Config.Replicas)
		require.Equal(t, int64(512<<20), bucket.CachedInfo().Config.MaxBytes)
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "OTHERS", Subjects: []string{"others"}})
	require.NoError(t, err)
	_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: Prefix + "r2", Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	left, err := Left(ctx, js)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{Prefix + "r1", Prefix + "r2"}, left)
	for _, name := range left {
		require.NoError(t, CleanUp(ctx, js, name))
	}
	left, err = Left(ctx, js)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = js.Stream(ctx, "OTHERS")
	require.NoError(t, err, "what belongs to others stays")

	for _, name := range []string{"", "OTHERS", Prefix, Prefix + "a.b", Prefix + "*", "X" + Prefix + "r1"} {
		const want = "want FLEETMARK_ and letters, digits, - or _"
		_, err = RunStream(ctx, js, name, nil)
		require.ErrorContains(t, err, want)
		_, err = Objects(ctx, js, name)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, CleanUp(ctx, js, name), want)
	}
}
