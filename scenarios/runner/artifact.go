package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// maxInMemory is the largest artifact that is made in memory; a larger one is made in a temporary
// file.
const maxInMemory scenarios.Bytes = 8 << 20

// openArtifact returns the artifact that the scenario pushes: its file, or random bytes made from
// its seed, which no transport can compress.
func openArtifact(ctx context.Context, s scenarios.Spec) (*delivery.Artifact, error) {
	if s.Artifact.File != "" {
		a, err := delivery.OpenArtifact(ctx, s.Artifact.File)
		switch {
		case ctx.Err() != nil && err != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, fmt.Errorf("%w: want a file with at least one byte", err)
		}
		return a, nil
	}
	source := randomBytes(s.Seed)
	if s.Artifact.Size <= maxInMemory {
		b := make([]byte, s.Artifact.Size)
		if _, err := io.ReadFull(source, b); err != nil {
			return nil, err
		}
		return delivery.ArtifactFromBytes(b)
	}
	size := int64(s.Artifact.Size)
	a, err := delivery.ReadArtifact(ctx, io.LimitReader(source, size), "", size)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &scenarios.OptionError{
			Option: "artifact.size", Value: s.Artifact.Size.String(), Problem: "it can't be made", Err: err,
		}
	}
	return a, nil
}

// randomBytes returns an endless stream of bytes that the seed determines.
func randomBytes(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// workloadDigest returns a digest of the work of a scenario. Two runs with the same digest did the
// same work, so their figures may be compared. The digest doesn't depend on the number of
// repetitions, the scenario's name, or the path of the artifact's file, but on the content of that
// file.
func workloadDigest(s scenarios.Spec, fleetKind string, devices int, a *delivery.Artifact) (string, error) {
	s.Client = s.Client.WithProcessDefaults() // a command is no part of the work, but its processes are
	s = s.Workload()
	s.Artifact.Size = scenarios.Bytes(a.Size())
	s.Fleet.Addressing, s.Fleet.Devices = s.Addressing(), devices
	text, err := json.Marshal(struct {
		Spec   scenarios.Spec
		Fleet  string
		Digest string
	}{s, fleetKind, a.DigestHex()})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// WorkloadDigest returns the digest of a scenario's work that is in run.json if the fleet runs in a
// process of its own.
func WorkloadDigest(ctx context.Context, s scenarios.Spec) (_ string, err error) {
	a, err := openArtifact(ctx, s)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return workloadDigest(s, target.OwnProcess, s.Fleet.Devices, a)
}
