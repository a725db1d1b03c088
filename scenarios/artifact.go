package scenarios

import (
	"context"
	"io"
	"math/rand/v2"

	"github.com/fleetmark/fleetmark/delivery"
)

const (
	// maxMadeArtifact bounds an artifact made from the seed.
	maxMadeArtifact Bytes = 1 << 40
	// inMemory is the largest one that is made in memory rather than in a temporary file.
	inMemory Bytes = 8 << 20
)

// makeArtifact gives what the scenario pushes: the file, or bytes from the seed
// that no transport can make smaller.
func (s Spec) makeArtifact(ctx context.Context) (*delivery.Artifact, error) {
	if s.Artifact.File != "" {
		a, err := delivery.OpenArtifact(ctx, s.Artifact.File)
		switch {
		case ctx.Err() != nil && err != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, &UsageError{What: err.Error() + ": want a file with at least one byte"}
		}
		return a, nil
	}
	source := randomBytes(s.Seed)
	if s.Artifact.Size <= inMemory {
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
		return nil, usage(err, "artifact.size %s: it can't be made", s.Artifact.Size)
	}
	return a, nil
}

// randomBytes is an endless stream that the seed determines.
func randomBytes(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}
