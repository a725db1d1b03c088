package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
)

// read takes what Linux tells in files, below root. Elsewhere there are none, and the
// facts stay unknown.
func (f *Facts) read(root string) {
	at := files(root)
	f.Quota, f.MemoryLeft = at.quota(), at.memoryLeft()
	f.MemoryAvailable = at.memoryAvailable()
	f.Ports = (*results.LocalPorts)(osinfo.ReadLocalPorts(root))
	f.ReuseTimeWait = at.number("proc/sys/net/ipv4/tcp_tw_reuse")
	f.AcceptQueue = at.number("proc/sys/net/core/somaxconn")
	f.ClockSource, _ = at.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
	f.ClockSources, _ = at.text("sys/devices/system/clocksource/clocksource0/available_clocksource")
	f.Governors = at.governors()
	f.Turbo = at.turbo()
	f.SMT = at.flag("sys/devices/system/cpu/smt/active")
}

// files is a directory in which the system's files are.
type files string

// text is a file's, without spaces around it; false where it can't be read.
func (at files) text(path string) (string, bool) {
	text, err := os.ReadFile(filepath.Join(string(at), filepath.FromSlash(path)))
	return strings.TrimSpace(string(text)), err == nil
}

func (at files) number(path string) *int {
	text, _ := at.text(path)
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	return &n
}

func (at files) bytes(path string) *uint64 {
	text, _ := at.text(path)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// flag is a file that holds 0 or 1.
func (at files) flag(path string) *bool {
	n := at.number(path)
	if n == nil || *n < 0 {
		return nil
	}
	on := *n != 0
	return &on
}

func (at files) memoryAvailable() *uint64 {
	text, _ := at.text("proc/meminfo")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "MemAvailable:" && words[2] == "kB" {
			if kib, err := strconv.ParseUint(words[1], 10, 54); err == nil {
				bytes := kib << 10
				return &bytes
			}
		}
	}
	return nil
}

// governors are those of all cores, each once; nil where the system has none, as in most
// virtual machines.
func (at files) governors() []string {
	found, _ := filepath.Glob(filepath.Join(string(at), "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")) // the pattern is well
	var names []string
	for _, path := range found {
		text, err := os.ReadFile(path)
		if name := strings.TrimSpace(string(text)); err == nil && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// turbo is told by Intel's driver as its absence, by the others as itself.
func (at files) turbo() *bool {
	if off := at.flag("sys/devices/system/cpu/intel_pstate/no_turbo"); off != nil {
		on := !*off
		return &on
	}
	return at.flag("sys/devices/system/cpu/cpufreq/boost")
}
