package doctor

import (
	"os"
	"path"
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

// text returns a file's text, without spaces around it, and whether it could be read.
func (at files) text(path string) (string, bool) {
	text, err := os.ReadFile(filepath.Join(string(at), filepath.FromSlash(path)))
	return strings.TrimSpace(string(text)), err == nil
}

func (at files) number(path string) *int {
	text, _ := at.text(path)
	return known(strconv.Atoi(text))
}

func (at files) bytes(path string) *uint64 {
	text, _ := at.text(path)
	return known(strconv.ParseUint(text, 10, 64))
}

// known returns a pointer to n, or nil if there is an error.
func known[T any](n T, err error) *T {
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
	return new(*n != 0)
}

func (at files) memoryAvailable() *uint64 {
	text, _ := at.text("proc/meminfo")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "MemAvailable:" && words[2] == "kB" {
			kib, err := strconv.ParseUint(words[1], 10, 54)
			return known(kib<<10, err)
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
		return new(!*off)
	}
	return at.flag("sys/devices/system/cpu/cpufreq/boost")
}

// A control group limits a process, and so do all above it. In version 2 of control
// groups there is one hierarchy, in version 1 one for each controller; machines that
// have both keep the second apart.

// quota is how many cores' time the control group may use, 0 where it has no limit; nil
// where that can't be read.
func (at files) quota() *float64 {
	var least *float64
	lower := func(cores float64) {
		if least == nil || *least == 0 || cores != 0 && cores < *least {
			least = &cores
		}
	}
	for _, dir := range at.groups("") {
		// "max 100000" or "150000 100000": so many of so many microseconds.
		text, ok := at.text(dir + "/cpu.max")
		words := strings.Fields(text)
		if !ok || len(words) != 2 {
			continue
		}
		if words[0] == "max" {
			lower(0)
			continue
		}
		quota, err := strconv.ParseFloat(words[0], 64)
		period, err2 := strconv.ParseFloat(words[1], 64)
		if err == nil && err2 == nil && period > 0 {
			lower(quota / period)
		}
	}
	for _, dir := range at.groups("cpu") {
		quota, period := at.number(dir+"/cpu.cfs_quota_us"), at.number(dir+"/cpu.cfs_period_us")
		switch {
		case quota == nil || period == nil || *period <= 0:
		case *quota < 0:
			lower(0)
		default:
			lower(float64(*quota) / float64(*period))
		}
	}
	// The root of a hierarchy has no limit, and says so by having no such file.
	if least == nil && slices.Contains(at.groups(""), "sys/fs/cgroup") {
		if _, ok := at.text("sys/fs/cgroup/cgroup.controllers"); ok {
			lower(0)
		}
	}
	return least
}

// memoryLeft is how much the control group may take yet; nil where it has no limit, or
// none that can be read.
func (at files) memoryLeft() *uint64 {
	var least *uint64
	lower := func(limit, used *uint64) {
		if limit == nil || used == nil || *limit > 1<<60 { // version 1 says so for none
			return
		}
		left := *limit - min(*limit, *used)
		if least == nil || left < *least {
			least = &left
		}
	}
	for _, dir := range at.groups("") {
		lower(at.bytes(dir+"/memory.max"), at.bytes(dir+"/memory.current"))
	}
	for _, dir := range at.groups("memory") {
		lower(at.bytes(dir+"/memory.limit_in_bytes"), at.bytes(dir+"/memory.usage_in_bytes"))
	}
	return least
}

// groups are the directories of this process's control group and of those above it, in
// the hierarchy of a controller, or in version 2's, which has no name.
func (at files) groups(controller string) (dirs []string) {
	text, _ := at.text("proc/self/cgroup")
	for line := range strings.Lines(text) {
		// "4:cpu,cpuacct:/a/b", or "0::/a/b" in version 2.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || !slices.Contains(strings.Split(parts[1], ","), controller) {
			continue
		}
		mounts := []string{"sys/fs/cgroup/" + controller, "sys/fs/cgroup/" + parts[1]}
		if controller == "" {
			mounts = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}
		}
		for _, mount := range slices.Compact(mounts) {
			for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
				dirs = append(dirs, path.Join(mount, dir))
				if dir == "/" {
					break
				}
			}
		}
	}
	return dirs
}
