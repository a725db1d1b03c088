//go:build !linux

package scenarios

// peakResident is not known per repetition here: peak-rss-B is left out.
func peakResident() uint64 { return 0 }

func resetPeak() {}
