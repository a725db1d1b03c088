package osinfo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// ReadLocalPorts reads the range of local ports and the number of sockets in TIME_WAIT from the
// proc file system below root, which is "/" outside tests. It returns nil if they can't be read,
// and on systems other than Linux.
func ReadLocalPorts(root string) *LocalPorts {
	text, err := os.ReadFile(filepath.Join(root, "proc/sys/net/ipv4/ip_local_port_range"))
	if err != nil {
		return nil
	}
	var p LocalPorts
	if _, err := fmt.Sscan(string(text), &p.First, &p.Last); err != nil {
		return nil
	}
	proc, err := procfs.NewFS(filepath.Join(root, "proc"))
	if err != nil {
		return nil
	}
	sockets, err := proc.NetSockstat()
	if err != nil {
		return nil
	}
	for _, protocol := range sockets.Protocols { // IPv6 sockets are counted under TCP as well
		if protocol.Protocol == "TCP" && protocol.TW != nil {
			p.TimeWait = *protocol.TW
			return &p
		}
	}
	return nil
}

// OpenDescriptors returns the number of file descriptors that this process has open. It returns 0
// if they can't be read, and on systems other than Linux.
func OpenDescriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	names, err := dir.Readdirnames(-1)
	if closeErr := dir.Close(); err != nil || closeErr != nil {
		return 0
	}
	return len(names) - 1 // without the descriptor that lists them
}

// DescriptorNames counts the open file descriptors of this process by the name of their file. It
// counts all sockets together, under [Sockets]. It returns an empty map if descriptors can't be
// read, and on systems other than Linux.
func DescriptorNames() map[string]int {
	names := map[string]int{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return names
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		switch {
		case err != nil: // the descriptor that lists them
		case strings.HasPrefix(to, Sockets):
			names[Sockets]++
		default:
			names[to]++
		}
	}
	return names
}

// PeakResident returns the largest resident memory of this process since [ResetPeakResident], in
// bytes. It returns 0 if it can't be read, and on systems other than Linux.
func PeakResident() uint64 { return peakResident("self") }

// PeakResidentOf returns the largest resident memory of a process, as PeakResident does.
func PeakResidentOf(pid int) uint64 { return peakResident(strconv.Itoa(pid)) }

func peakResident(process string) uint64 {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	kib, err := strconv.ParseUint(string(words[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// ResetPeakResident sets the peak to the present resident memory; see proc_pid_clear_refs(5). If
// the system doesn't allow that, [PeakResident] continues to cover the whole life of the process.
func ResetPeakResident() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// ResetPeakResidentOf does for a process what ResetPeakResident does for this one.
func ResetPeakResidentOf(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0)
}

// ProcessorTimeOf returns the user and system time of a process, and of those of its children that
// have ended and that it has waited for. It reports false if there is no such process, and on
// systems other than Linux.
func ProcessorTimeOf(pid int) (time.Duration, bool) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, false
	}
	stat, err := p.Stat()
	if err != nil {
		return 0, false
	}
	own := ticks(int(stat.UTime + stat.STime))
	// The process's clock, which clock_getcpuclockid(3) derives in this way, counts nanoseconds.
	const scheduled = 2
	var ts unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|scheduled), &ts) == nil {
		own = time.Duration(ts.Nano())
	}
	return own + ticks(stat.CUTime+stat.CSTime), true
}

// ResidentOf returns the resident memory of a process, in bytes. It returns 0 if it can't be read,
// and on systems other than Linux.
func ResidentOf(pid int) uint64 {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	stat, err := p.Stat()
	if err != nil {
		return 0
	}
	return uint64(max(0, stat.ResidentMemory()))
}

// ProcessTree returns the ids of processes and of all that descend from them, or are in the process
// group of one of them. Those that have ended and aren't waited for yet count. It returns nil on
// systems other than Linux.
func ProcessTree(roots ...int) []int {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	children, groups := map[int][]int{}, map[int][]int{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil {
			children[stat.PPID] = append(children[stat.PPID], p.PID)
			groups[stat.PGRP] = append(groups[stat.PGRP], p.PID)
		}
	}
	var tree []int
	seen := map[int]bool{}
	var add func(pids []int)
	add = func(pids []int) {
		for _, pid := range pids {
			if !seen[pid] {
				seen[pid] = true
				tree = append(tree, pid)
				add(children[pid])
			}
		}
	}
	for _, root := range roots {
		if _, err := procfs.NewProc(root); err == nil {
			add([]int{root})
		}
		add(groups[root])
	}
	return tree
}

// ticks returns the time of clock ticks, of which each system that Go supports has 100 a second
// (USER_HZ).
func ticks(n int) time.Duration { return time.Duration(n) * time.Second / 100 }

// OtherProcesses returns the user and system time of all visible processes except ours, including
// their children that have ended. A process passes its time to its parent when it ends, so the
// difference of two results is the time that others used in between. OtherProcesses reports false
// if processes can't be listed, and on systems other than Linux.
func OtherProcesses(ours ...int) (time.Duration, bool) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, false
	}
	var sum int
	for _, p := range all {
		if slices.Contains(ours, p.PID) {
			continue
		}
		if s, err := p.Stat(); err == nil { // if it has just ended, its parent has its time
			sum += int(s.UTime+s.STime) + s.CUTime + s.CSTime
		}
	}
	return ticks(sum), true
}

// Sleeper returns a function that sleeps on the system's clock and wakes within microseconds of its
// time, or early. Sleeper changes the timer slack of the calling thread. It returns nil on systems
// other than Linux.
func Sleeper() func(time.Duration) {
	// By default the kernel may delay a wake-up by 50 µs, to wake several threads at once. If it
	// refuses the change, that delay remains.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func(d time.Duration) {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // a signal ends it early
	}
}
