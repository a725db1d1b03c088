package mockfleet

// purpose separates the random choices about one attempt from each other, so that a new kind of
// choice leaves those made before it as they were.
type purpose uint64

const (
	purposeLatency purpose = 1 + iota
	purposeInstall
	purposeReboot
	purposeRTT
	purposeVersionRTT
	purposeBandwidth
	purposeMember  // of a group: of the whole fleet, so that attempt is 0
	purposeOffline // likewise

	purposeFault purpose = 16 // and up: choiceCount for each of maxFaults, all below 256
)

// draw returns a uniform number in the open interval (0, 1) that depends on its arguments alone.
// So a device's n-th update fares the same whatever came before it, on whatever worker.
func draw(seed uint64, device int, attempt uint32, p purpose) float64 {
	x := splitmix64(seed)
	x = splitmix64(x ^ uint64(device))
	x = splitmix64(x ^ uint64(attempt)<<8 ^ uint64(p))
	// The 53 high bits fill a float64's mantissa; the half keeps both ends open, where a
	// logarithmic distribution would be infinite.
	return (float64(x>>11) + 0.5) / (1 << 53)
}

// splitmix64 is the output function of the generator of Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators" (OOPSLA 2014), at the state that follows x.
func splitmix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
