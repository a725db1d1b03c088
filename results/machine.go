package results

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Machine describes what a measured time depends on besides the code. It names no host and no
// user, so it may be published.
type Machine struct {
	OS          string `json:"os"`           // GOOS
	Arch        string `json:"arch"`         // GOARCH
	CPU         string `json:"cpu"`          // the processor's model name
	Cores       int    `json:"cores"`        // processors that the process may run on
	GOMAXPROCS  int    `json:"gomaxprocs"`   // of the driver
	MemoryBytes uint64 `json:"memory_bytes"` // of the machine
	Kernel      string `json:"kernel"`       // its release
	GoVersion   string `json:"go_version"`   // of the driver

	// Identity distinguishes machines: the first 12 hexadecimal digits of a SHA-256 over machine
	// id, boot id, processor and cores. The boot id is included because a virtual machine may be
	// booted again on other hardware; it then counts as another machine, and its times aren't
	// judged.
	Identity string `json:"identity"`

	// Agents is how many agents of a merged run are meant, whose processors and memory are added
	// up, and Machines on how many machines they ran. Both are 0 for a single process.
	Agents   int `json:"agents,omitempty"`
	Machines int `json:"machines,omitempty"` // distinct ones
}

// ThisMachine describes the machine that this process runs on. A field that the system doesn't
// report is empty. Without a machine id and a boot id, Identity is empty, and [Machine.SameAs] is
// false for every machine.
func ThisMachine(ctx context.Context) (Machine, error) {
	m := Machine{
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		Cores:      runtime.NumCPU(),
		GOMAXPROCS: runtime.GOMAXPROCS(0),
		GoVersion:  runtime.Version(),
	}
	this, err := osinfo.ThisMachine(ctx)
	if err != nil {
		return Machine{}, err
	}
	m.CPU, m.MemoryBytes, m.Kernel = this.CPU, this.MemoryBytes, this.Kernel
	m.Identity = identity(this.MachineID, this.BootID, m.CPU, m.Cores)
	return m, nil
}

// MergedMachine describes what the agents of a merged run had together. It takes the machine of
// each agent, in any order, and more than once if several agents shared it. The result is the
// [Machine.SameAs] of another merged run only if that had as many agents, on the same machines,
// each with the same GOMAXPROCS; and of no single process, whose times aren't comparable. Its
// identity is derived from the agents' identities; it has none if one of them has none.
//
// Cores and memory are those of all machines, each counted once, and GOMAXPROCS is that of all
// agents. Texts that differ are joined. The result for a single machine is that machine.
func MergedMachine(machines []Machine) Machine {
	if len(machines) == 1 {
		return machines[0]
	}
	merged := Machine{Agents: len(machines)}
	seen, known := map[string]bool{}, len(machines) > 0
	var lines []string
	for _, m := range machines {
		merged.GOMAXPROCS += m.GOMAXPROCS
		lines = append(lines, strings.Join([]string{m.Identity, strconv.Itoa(m.GOMAXPROCS), m.OS, m.Arch}, "\x00"))
		known = known && m.Identity != ""
		if m.Identity != "" && seen[m.Identity] {
			continue
		}
		seen[m.Identity] = true
		merged.Machines++
		merged.Cores += m.Cores
		merged.MemoryBytes += m.MemoryBytes
	}
	text := func(of func(m Machine) string) string { return joinDistinct(machines, of) }
	merged.OS, merged.Arch = text(func(m Machine) string { return m.OS }), text(func(m Machine) string { return m.Arch })
	merged.CPU, merged.Kernel = text(func(m Machine) string { return m.CPU }), text(func(m Machine) string { return m.Kernel })
	merged.GoVersion = text(func(m Machine) string { return m.GoVersion })
	if known {
		slices.Sort(lines)
		sum := sha256.Sum256([]byte("agents\x00" + strings.Join(lines, "\n")))
		merged.Identity = hex.EncodeToString(sum[:])[:12]
	}
	return merged
}

// maxDistinct is how many texts that differ are in a text of all machines.
const maxDistinct = 3

// joinDistinct returns the distinct texts of machines, sorted, such as "amd64 and arm64". It says
// how many there are beyond [maxDistinct].
func joinDistinct(machines []Machine, of func(m Machine) string) string {
	var texts []string
	for _, m := range machines {
		if text := of(m); text != "" {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if more := len(texts) - maxDistinct; more > 0 {
		texts = append(texts[:maxDistinct], fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, " and ")
}

// identity returns the Identity of a machine, or "" if it has neither a machine id nor a boot id.
func identity(machineID, bootID, processor string, cores int) string {
	if machineID == "" && bootID == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{machineID, bootID, processor, strconv.Itoa(cores)}, "\x00")))
	return hex.EncodeToString(sum[:])[:12]
}

// SameAs reports whether a time measured on m may be compared with one measured on o. It returns
// false if GOMAXPROCS differs, even on the same hardware, or if either machine has no identity.
func (m Machine) SameAs(o Machine) bool {
	return m.Identity != "" && m.Identity == o.Identity && m.GOMAXPROCS == o.GOMAXPROCS && m.OS == o.OS && m.Arch == o.Arch
}

// String returns one line such as "linux/amd64, Example CPU, 2 cores (GOMAXPROCS 2), 23.5 GiB,
// kernel 6.1, go1.26.0, 0123456789ab". That of a merged run begins "4 agents on 3 machines: ".
func (m Machine) String() string {
	processor, kernel := cmp.Or(m.CPU, "unknown processor"), cmp.Or(m.Kernel, "unknown")
	id := cmp.Or(m.Identity, "no identity")
	agents := ""
	if m.Agents > 0 {
		agents = fmt.Sprintf("%s on %s: ", plaintext.Count(m.Agents, "agent"), plaintext.Count(m.Machines, "machine"))
	}
	return agents + fmt.Sprintf("%s/%s, %s, %d cores (GOMAXPROCS %d), %.1f GiB, kernel %s, %s, %s",
		m.OS, m.Arch, processor, m.Cores, m.GOMAXPROCS, float64(m.MemoryBytes)/(1<<30), kernel, m.GoVersion, id)
}

// Interference is how much of the machine other processes and machines used while a run's times
// were measured, as shares of all cores from 0 to 1.
type Interference struct {
	// OthersFraction is the share of all cores that processes other than the driver and its fleet
	// used.
	OthersFraction float64 `json:"others_fraction"`

	StolenFraction float64 `json:"stolen_fraction"` // share of all cores that the hypervisor took for other machines
}

// String returns a clause: "other processes used 1.3% of all cores and the hypervisor took 0.0%".
func (i Interference) String() string {
	return fmt.Sprintf("other processes used %.1f%% of all cores and the hypervisor took %.1f%%",
		100*i.OthersFraction, 100*i.StolenFraction)
}

// maxOthersShare is the share of all cores above which others may have changed a time. On an idle
// machine it is below 2%; a build or a test beside the run takes half of the cores.
const maxOthersShare = 0.10

// Exceeds reports whether others may have changed a time. It returns false if i is nil.
func (i *Interference) Exceeds() bool {
	return i != nil && (i.OthersFraction > maxOthersShare || i.StolenFraction > maxOthersShare)
}

// Excess returns a clause about the shares that are too large. It returns "" if neither is, or if i
// is nil.
func (i *Interference) Excess() string {
	if i == nil {
		return ""
	}
	var took []string
	if i.OthersFraction > maxOthersShare {
		took = append(took, fmt.Sprintf("other processes used %.0f%% of all cores", 100*i.OthersFraction))
	}
	if i.StolenFraction > maxOthersShare {
		took = append(took, fmt.Sprintf("the hypervisor took %.0f%%", 100*i.StolenFraction))
	}
	return strings.Join(took, " and ")
}

// A ReferenceSpeed is how fast the machine was, measured by a reference benchmark that runs none of
// the code under test: how long a round trip between two bare sockets took, before and after every
// timed repetition. A virtual machine can be half as fast as it was an hour ago, and no counter of
// the system shows that.
type ReferenceSpeed struct {
	RoundTripNS float64 `json:"round_trip_ns"` // median of the blocks, nanoseconds
	Blocks      int     `json:"blocks"`        // how many were measured
}

// NewReferenceSpeed summarizes the blocks of the reference benchmark, each in nanoseconds a round
// trip. It returns nil if there are none.
func NewReferenceSpeed(blocks []float64) *ReferenceSpeed {
	if len(blocks) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(blocks))
	return &ReferenceSpeed{RoundTripNS: stats.Median(sorted), Blocks: len(blocks)}
}
