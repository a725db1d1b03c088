package mockfleet

import "math/bits"

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

// permutation shuffles the numbers from 0 to n-1 by a key, without holding them: each place is worked out
// by itself. It is a Feistel network over the least even number of bits that hold n, walked on until it is
// below n (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002): under four steps on
// average.
type permutation struct {
	n    uint64
	half uint   // bits of each half
	key  uint64 // of the rounds
}

const feistelRounds = 4

func newPermutation(n int, seed uint64, p purpose) permutation {
	width := uint(bits.Len(uint(max(n, 2) - 1)))
	return permutation{n: uint64(n), half: (width + 1) / 2, key: splitmix64(splitmix64(seed) ^ uint64(p))}
}

// of is where i, from 0 to n-1, has come to.
func (p permutation) of(i int) int {
	x := uint64(i)
	for {
		if x = p.step(x); x < p.n {
			return int(x)
		}
	}
}

func (p permutation) step(x uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := x>>p.half, x&mask
	for round := range uint64(feistelRounds) {
		left, right = right, left^splitmix64(p.key^right<<8^round)&mask
	}
	return left<<p.half | right
}
