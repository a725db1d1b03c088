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

// readSystem reads the facts that Linux has in files below root. Other systems have no such files,
// so the facts stay unknown there.
func (f *Facts) readSystem(root string) {
	at := systemFiles(root)
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

// systemFiles is a directory that contains /proc and /sys.
type systemFiles string

// text returns the text of a file without surrounding white space. It reports whether the file can
// be read.
func (at systemFiles) text(path string) (string, bool) {
	text, err := os.ReadFile(filepath.Join(string(at), filepath.FromSlash(path)))
	return strings.TrimSpace(string(text)), err == nil
}

// number returns the number in a file, or nil if there is none.
func (at systemFiles) number(path string) *int {
	text, _ := at.text(path)
	return orNil(strconv.Atoi(text))
}

func (at systemFiles) bytes(path string) *uint64 {
	text, _ := at.text(path)
	return orNil(strconv.ParseUint(text, 10, 64))
}

// orNil returns a pointer to n, or nil if there is an error.
func orNil[T any](n T, err error) *T {
	if err != nil {
		return nil
	}
	return &n
}

// flag reports whether a file contains a number other than 0. It returns nil if that isn't known.
func (at systemFiles) flag(path string) *bool {
	n := at.number(path)
	if n == nil || *n < 0 {
		return nil
	}
	return new(*n != 0)
}

// memoryAvailable returns how much memory the machine has available, in bytes, or nil if that isn't
// known.
func (at systemFiles) memoryAvailable() *uint64 {
	text, _ := at.text("proc/meminfo")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "MemAvailable:" && words[2] == "kB" {
			kib, err := strconv.ParseUint(words[1], 10, 54)
			return orNil(kib<<10, err)
		}
	}
	return nil
}

// governors returns the frequency governors of all cores, each once. It returns nil if there are
// none, as in most virtual machines.
func (at systemFiles) governors() []string {
	pattern := filepath.Join(string(at), "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	found, _ := filepath.Glob(pattern) // the pattern is valid
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

// turbo reports whether cores may exceed their nominal frequency. Intel's driver has a file that
// says whether they may not; other drivers have a file that says whether they may.
func (at systemFiles) turbo() *bool {
	if off := at.flag("sys/devices/system/cpu/intel_pstate/no_turbo"); off != nil {
		return new(!*off)
	}
	return at.flag("sys/devices/system/cpu/cpufreq/boost")
}
