package random

// Stream separates the random choices about one attempt from each other, so that a new kind of
// choice leaves those made before it as they were.
type Stream uint64

// The streams. Their values must never change, so that a seed gives the same fleet in every
// release.
const (
	StreamLatency Stream = 1 + iota
	StreamInstall
	StreamReboot
	StreamRTT
	StreamVersionRTT
	StreamBandwidth
	StreamMember  // which devices are in a group; one permutation for the whole fleet
	StreamOffline // in which order devices are taken offline; likewise

	StreamFault Stream = 16 // and up: a few for each fault of a device, all below 256
)

// Draw returns a uniform number in the open interval (0, 1) that depends on its arguments alone. So
// what happens to a device's n-th update doesn't depend on what came before it, or on the worker
// that sends it.
func Draw(seed uint64, device int, attempt uint32, p Stream) float64 {
	x := Mix(seed)
	x = Mix(x ^ uint64(device))
	x = Mix(x ^ uint64(attempt)<<8 ^ uint64(p))
	// The 53 high bits fill a float64's mantissa; the half keeps both ends open, where a
	// logarithmic distribution would be infinite.
	return (float64(x>>11) + 0.5) / (1 << 53)
}

// Mix is the output function of the generator of Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators" (OOPSLA 2014), at the state that follows x.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
