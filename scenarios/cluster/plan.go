package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/fleetmark/fleetmark/scenarios"
)

// planDigest returns a digest of what all agents of a run do together: the scenario without the
// index of a shard, but with the number of shards, and the digest of the artifact's file, if it has
// one, instead of its path. Each agent works out its part from the scenario alone, so agents with
// equal digests do parts of the same plan.
func planDigest(s scenarios.Spec, file *artifact) (string, error) {
	s.Shard.Index = 0
	if s.Artifact.File = ""; file != nil {
		s.Artifact.File = file.Digest
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(text, " protocol %d", protocol))
	return hex.EncodeToString(sum[:]), nil
}
