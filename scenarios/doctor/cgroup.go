package doctor

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// A control group limits a process, and so do all groups above it. Version 2 of control groups has
// one hierarchy, version 1 has one for each controller. Machines that have both mount version 2 in
// a directory of its own.

// quota returns how many cores the control group may keep busy. It returns 0 if the group has no
// limit, and nil if the limit isn't known.
func (at systemFiles) quota() *float64 {
	var least *float64
	keepLowest := func(cores float64) {
		if least == nil || *least == 0 || cores != 0 && cores < *least {
			least = &cores
		}
	}
	for _, dir := range at.groups("") {
		// "max 100000" or "150000 100000": the quota of a period, both in microseconds.
		text, ok := at.text(dir + "/cpu.max")
		words := strings.Fields(text)
		if !ok || len(words) != 2 {
			continue
		}
		if words[0] == "max" {
			keepLowest(0)
			continue
		}
		quota, err := strconv.ParseFloat(words[0], 64)
		period, err2 := strconv.ParseFloat(words[1], 64)
		if err == nil && err2 == nil && period > 0 {
			keepLowest(quota / period)
		}
	}
	for _, dir := range at.groups("cpu") {
		quota, period := at.number(dir+"/cpu.cfs_quota_us"), at.number(dir+"/cpu.cfs_period_us")
		switch {
		case quota == nil || period == nil || *period <= 0:
		case *quota < 0:
			keepLowest(0)
		default:
			keepLowest(float64(*quota) / float64(*period))
		}
	}
	// The root of a hierarchy has no file cpu.max, and no limit.
	if least == nil && slices.Contains(at.groups(""), "sys/fs/cgroup") {
		if _, ok := at.text("sys/fs/cgroup/cgroup.controllers"); ok {
			keepLowest(0)
		}
	}
	return least
}

// memoryLeft returns how much more memory the control group may use, in bytes. It returns nil if
// the group has no limit, and if that isn't known.
func (at systemFiles) memoryLeft() *uint64 {
	var least *uint64
	keepLowest := func(limit, used *uint64) {
		if limit == nil || used == nil || *limit > 1<<60 { // version 1 writes such a number if there is no limit
			return
		}
		left := *limit - min(*limit, *used)
		if least == nil || left < *least {
			least = &left
		}
	}
	for _, dir := range at.groups("") {
		keepLowest(at.bytes(dir+"/memory.max"), at.bytes(dir+"/memory.current"))
	}
	for _, dir := range at.groups("memory") {
		keepLowest(at.bytes(dir+"/memory.limit_in_bytes"), at.bytes(dir+"/memory.usage_in_bytes"))
	}
	return least
}

// groups returns the directories of this process's control group and of the groups above it, in the
// hierarchy of a controller, or in the one of version 2 if controller is empty.
func (at systemFiles) groups(controller string) (dirs []string) {
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
