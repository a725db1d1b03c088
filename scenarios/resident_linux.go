package scenarios

import (
	"bytes"
	"os"
	"strconv"
)

// peakResident is the most memory that was resident since resetPeak, in bytes; 0
// where the system doesn't tell.
func peakResident() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte("\nVmHWM:"))
	if !found {
		return 0
	}
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

// resetPeak makes the present the peak (proc_pid_clear_refs(5)). Where that is not
// allowed the peak stays that of the whole process, which is higher.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
