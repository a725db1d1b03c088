package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Prefix is what the names of all streams and buckets begin with.
const Prefix = "FLEETMARK_"

// The bounds of what a run keeps in JetStream.
const (
	streamBytes  = 256 << 20 // of results that the controller hasn't taken yet
	objectBytes  = 512 << 20
	keepFor      = 24 * time.Hour  // what a controller left that never came back
	duplicatesIn = 5 * time.Minute // a message that is published again within it is dropped
	ackWithin    = 10 * time.Second
	maxUnacked   = 4096
)

// RunStream makes the stream that agents publish a run's results to, or returns the one that is
// there. It is a work queue on disk without replicas: a message goes when it was acknowledged, or
// after 24 hours. A second message with the id of one of the last 5 minutes is dropped. When 256
// MiB wait to be taken, publishing fails.
func RunStream(ctx context.Context, js jetstream.JetStream, name string, subjects []string) (jetstream.Stream, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:       name,
		Subjects:   subjects,
		Retention:  jetstream.WorkQueuePolicy,
		Storage:    jetstream.FileStorage,
		Discard:    jetstream.DiscardNew,
		MaxBytes:   streamBytes,
		MaxAge:     keepFor,
		MaxMsgSize: MaxPayload,
		Duplicates: duplicatesIn,
		Replicas:   1,
	})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	return s, nil
}

// Consumer makes the consumer with which a controller takes messages from a run's stream, or
// returns the one that is there. A message that isn't acknowledged within 10 s comes again, as
// often as it takes. At most 4096 messages are unacknowledged at a time.
func Consumer(ctx context.Context, s jetstream.Stream, name string) (jetstream.Consumer, error) {
	c, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       name,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWithin,
		MaxDeliver:    -1,
		MaxAckPending: maxUnacked,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s of stream %s: %w", name, s.CachedInfo().Config.Name, err)
	}
	return c, nil
}

// Objects makes the bucket that holds a run's artifacts and uploads, or returns the one that is
// there. It is on disk without replicas; objects go after 24 hours. When it holds 512 MiB, putting
// fails. An agent opens an existing bucket with jetstream.JetStream.ObjectStore.
func Objects(ctx context.Context, js jetstream.JetStream, bucket string) (jetstream.ObjectStore, error) {
	if err := checkName(bucket); err != nil {
		return nil, err
	}
	o, err := js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket:   bucket,
		Storage:  jetstream.FileStorage,
		MaxBytes: objectBytes,
		TTL:      keepFor,
		Replicas: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", bucket, err)
	}
	return o, nil
}

// Left returns the names of the streams and buckets that runs have on the server, each name once.
func Left(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	list := js.StreamNames(ctx)
	for stream := range list.Name() {
		name := strings.TrimPrefix(strings.TrimPrefix(stream, "OBJ_"), "KV_")
		if strings.HasPrefix(name, Prefix) && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("streams of the server: %w", err)
	}
	return names, nil
}

// CleanUp removes the stream, the object store and the bucket of keys and values of a name, those
// of them that exist. It tries all, and returns every error.
func CleanUp(ctx context.Context, js jetstream.JetStream, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	var all error
	for _, stream := range []string{name, "OBJ_" + name, "KV_" + name} {
		if err := js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			all = errors.Join(all, fmt.Errorf("remove stream %s: %w", stream, err))
		}
	}
	return all
}

// checkName returns an error unless the name is one of a run's stream or bucket.
func checkName(name string) error {
	if !regexp.MustCompile(`^` + Prefix + `[A-Za-z0-9_-]{1,200}$`).MatchString(name) {
		return fmt.Errorf("stream or bucket %q: want %s and letters, digits, - or _", name, Prefix)
	}
	return nil
}
