package results

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// BaselineSchema is the version of the baseline page that this package writes. It reads
// the earlier ones too: version 1 had no sections.
const BaselineSchema = 2

// The marks that hold a baseline page together. They are HTML comments, which a
// reader of the page doesn't see.
const (
	markBaseline     = "<!-- fleetmark:baseline schema=2. Written by `fleetmark baseline`; only the optimization history is for editing. -->"
	markBaselineHead = "<!-- fleetmark:baseline "
	markHistoryBegin = "<!-- fleetmark:history:begin -->"
	markHistoryEnd   = "<!-- fleetmark:history:end -->"
	markEndFormat    = "<!-- fleetmark:end samples=%d -->"
	fenceSamples     = "```text"
	fenceFacts       = "```json"
	fenceEnd         = "```"
)

var markEnd = regexp.MustCompile(`^<!-- fleetmark:end samples=([0-9]{1,9}) -->$`)

// baselineFacts is the page's JSON block: what the tables say for people, for
// programs.
type baselineFacts struct {
	Schema    int                     `json:"schema"`
	Machine   Machine                 `json:"machine"`
	Revision  string                  `json:"revision"`
	GoVersion string                  `json:"go_version"`
	Created   time.Time               `json:"created"`
	Scenarios []baselineScenarioFacts `json:"scenarios"`
	Sections  []sectionFacts          `json:"sections,omitempty"`

	// Sources is the digest of the code that was measured, by its name.
	Sources map[string]string `json:"sources,omitempty"`

	// GeneratedSHA256 is the digest of the page without its optimization history
	// and with 64 zeros for this digest, line breaks being single line feeds.
	GeneratedSHA256 string `json:"generated_sha256"`
}

type baselineScenarioFacts struct {
	Name            string `json:"name"`
	WorkloadDigest  string `json:"workload_digest"`
	Command         string `json:"command"`
	Repetitions     int    `json:"repetitions"`
	Counts          Counts `json:"counts"`
	ClientsWordOnly bool   `json:"clients_word_only"`

	Interference *Interference `json:"interference,omitempty"`
	Yardstick    *Yardstick    `json:"yardstick,omitempty"`

	Samples int `json:"samples"` // lines in the page's samples that are of this scenario
}

var zeroDigest = strings.Repeat("0", sha256.Size*2)

// generatedDigest is the digest of a page, in which digest stands for itself.
func generatedDigest(page, digest string) string {
	before, rest, _ := strings.Cut(page, markHistoryBegin+"\n")
	_, after, _ := strings.Cut(rest, markHistoryEnd+"\n")
	generated := before + markHistoryBegin + "\n" + markHistoryEnd + "\n" + after
	if digest != zeroDigest {
		generated = strings.Replace(generated, digestField(digest), digestField(zeroDigest), 1)
	}
	sum := sha256.Sum256([]byte(generated))
	return hex.EncodeToString(sum[:])
}

func digestField(digest string) string { return fmt.Sprintf("%q: %q", "generated_sha256", digest) }
