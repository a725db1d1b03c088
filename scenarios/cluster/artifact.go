package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

// runName returns the name of a run's stream, and of its object store.
func runName(run string) string { return bus.Prefix + run }

// artifactObject is the name of the artifact in the object store of a run.
const artifactObject = "artifact"

// describeArtifact returns the digest and the size of a file.
func describeArtifact(path string) (*artifact, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the artifact: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return nil, fmt.Errorf("the artifact: %w", err)
	}
	return &artifact{hex.EncodeToString(sum.Sum(nil)), n}, nil
}

// offerArtifact puts the artifact into the run's object store.
func offerArtifact(ctx context.Context, store jetstream.ObjectStore, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the artifact: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	if _, err = store.Put(ctx, jetstream.ObjectMeta{Name: artifactObject}, f); err != nil {
		return fmt.Errorf("putting the artifact into the object store: %w", err)
	}
	return nil
}

// fetchArtifact gets the artifact from the run's object store into a file, and checks that it is
// the right one.
func fetchArtifact(ctx context.Context, js jetstream.JetStream, run string, a artifact, path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("getting the artifact: %w", err)
		}
	}()
	store, err := js.ObjectStore(ctx, runName(run))
	if err != nil {
		return err
	}
	from, err := store.Get(ctx, artifactObject)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	// One byte more than there should be is enough to know that it is another file.
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(from, a.Size+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != a.Size || got != a.Digest {
		return fmt.Errorf("%d bytes with SHA-256 %s came: want %d with %s", n, got, a.Size, a.Digest)
	}
	return nil
}
