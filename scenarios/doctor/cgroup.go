package doctor

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

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
