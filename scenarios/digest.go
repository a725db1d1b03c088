package scenarios

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/fleetmark/fleetmark/delivery"
)

// workloadDigest names the work of a scenario: two runs with the same digest did
// the same, so that their figures may be compared. How often it was done, what it
// is called, and where a file lies don't matter; what is in the file does. (A baseline
// is looked up by the scenario's name first.)
func (s Spec) workloadDigest(fleetKind string, devices int, a *delivery.Artifact) (string, error) {
	s.Name, s.Description, s.Artifact.File, s.Artifact.Size = "", "", "", Bytes(a.Size())
	s.Artifact.Version = ""
	s.Repetitions, s.Warmup, s.Profiled, s.SlowTrace = 0, 0, 0, 0
	s.Thresholds = nil // what is wanted of the work is no part of it
	s.Fleet.Addressing, s.Fleet.Devices = s.addressing(), devices
	text, err := json.Marshal(struct {
		Spec   Spec
		Fleet  string
		Digest string
	}{s, fleetKind, a.DigestHex()})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// WorkloadDigest names the work of the scenario over a fleet in a process of its
// own, as run.json would.
func (s Spec) WorkloadDigest(ctx context.Context) (_ string, err error) {
	a, err := s.makeArtifact(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return s.workloadDigest(FleetProcess, s.Fleet.Devices, a)
}
