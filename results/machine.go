package results

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
)

// A Machine is what a measurement of time depends on besides the code. It names
// no host and no user, so it may stand on a public page.
type Machine struct {
	OS          string `json:"os"`         // GOOS
	Arch        string `json:"arch"`       // GOARCH
	CPU         string `json:"cpu"`        // the processor's model name
	Cores       int    `json:"cores"`      // that the process may run on
	GOMAXPROCS  int    `json:"gomaxprocs"` // of the driver
	MemoryBytes uint64 `json:"memory_bytes"`
	Kernel      string `json:"kernel"`
	GoVersion   string `json:"go_version"`

	// Identity tells this machine from others: the first 12 hexadecimal digits of
	// a SHA-256 over machine id, boot id, processor and cores. The boot id is part
	// of it because a virtual machine that was booted again may sit on other
	// hardware: it counts as another machine, and its times aren't judged.
	Identity string `json:"identity"`
}

// ThisMachine describes the machine it runs on. What a platform doesn't tell
// stays empty; without a machine id and a boot id, Identity stays empty too, and
// then the machine is the same as no other.
func ThisMachine(ctx context.Context) (Machine, error) {
	m := Machine{
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		Cores:      runtime.NumCPU(),
		GOMAXPROCS: runtime.GOMAXPROCS(0),
		GoVersion:  runtime.Version(),
	}
	processors, err := cpu.InfoWithContext(ctx)
	if err != nil {
		return Machine{}, fmt.Errorf("describe machine: name the processor: %w", err)
	}
	if len(processors) > 0 {
		m.CPU = strings.Join(strings.Fields(processors[0].ModelName), " ")
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return Machine{}, fmt.Errorf("describe machine: measure the memory: %w", err)
	}
	m.MemoryBytes = memory.Total
	if m.Kernel, err = host.KernelVersionWithContext(ctx); err != nil {
		return Machine{}, fmt.Errorf("describe machine: name the kernel: %w", err)
	}
	machineID, err := host.HostIDWithContext(ctx)
	if err != nil {
		return Machine{}, fmt.Errorf("describe machine: identify it: %w", err)
	}
	bootID, err := bootIdentity(ctx)
	if err != nil {
		return Machine{}, fmt.Errorf("describe machine: identify the boot: %w", err)
	}
	m.Identity = identity(machineID, bootID, m.CPU, m.Cores)
	return m, nil
}

// bootIdentity is a value that changes with every boot.
func bootIdentity(ctx context.Context) (string, error) {
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		return strings.TrimSpace(string(id)), nil
	}
	// Elsewhere than on Linux, the time of the boot in Unix seconds serves.
	booted, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(booted, 10), nil
}

func identity(machineID, bootID, processor string, cores int) string {
	if machineID == "" && bootID == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{machineID, bootID, processor, strconv.Itoa(cores)}, "\x00")))
	return hex.EncodeToString(sum[:])[:12]
}

// SameAs reports whether a time measured on m may be held against one from o. A
// different GOMAXPROCS makes another machine of the same hardware, and a machine
// without an identity is the same as none.
func (m Machine) SameAs(o Machine) bool {
	return m.Identity != "" && m.Identity == o.Identity && m.GOMAXPROCS == o.GOMAXPROCS && m.OS == o.OS && m.Arch == o.Arch
}

// String is one line: "linux/amd64, Example CPU, 2 cores (GOMAXPROCS 2), 23.5 GiB, kernel 6.1, go1.26.0, 0123456789ab".
func (m Machine) String() string {
	processor, kernel, id := orUnknown(m.CPU, "unknown processor"), orUnknown(m.Kernel, "unknown"), orUnknown(m.Identity, "no identity")
	return fmt.Sprintf("%s/%s, %s, %d cores (GOMAXPROCS %d), %.1f GiB, kernel %s, %s, %s",
		m.OS, m.Arch, processor, m.Cores, m.GOMAXPROCS, float64(m.MemoryBytes)/(1<<30), kernel, m.GoVersion, id)
}

func orUnknown(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
