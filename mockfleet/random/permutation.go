package random

import "math/bits"

// Permutation shuffles the numbers from 0 to n-1 by a key. It computes each place by itself, and so
// takes no memory for n. It is a Feistel network over the least even number of bits that hold n,
// applied again until the result is below n (Black and Rogaway, "Ciphers with Arbitrary Finite
// Domains", CT-RSA 2002): under four times on average.
type Permutation struct {
	n    uint64
	half uint   // bits of each half
	key  uint64 // of the rounds
}

const feistelRounds = 4

// NewPermutation returns a permutation of the numbers from 0 to n-1, chosen by a seed and a stream.
func NewPermutation(n int, seed uint64, p Stream) Permutation {
	width := uint(bits.Len(uint(max(n, 2) - 1)))
	return Permutation{n: uint64(n), half: (width + 1) / 2, key: Mix(Mix(seed) ^ uint64(p))}
}

// Of returns the place of i in the permutation. Both are from 0 to n-1.
func (p Permutation) Of(i int) int {
	x := uint64(i)
	for {
		if x = p.step(x); x < p.n {
			return int(x)
		}
	}
}

// At returns the number whose place is i. It is the inverse of Of.
func (p Permutation) At(i int) int {
	x := uint64(i)
	for {
		if x = p.stepBack(x); x < p.n {
			return int(x)
		}
	}
}

func (p Permutation) step(x uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := x>>p.half, x&mask
	for round := range uint64(feistelRounds) {
		left, right = right, left^Mix(p.key^right<<8^round)&mask
	}
	return left<<p.half | right
}

// stepBack is the inverse of step.
func (p Permutation) stepBack(x uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := x>>p.half, x&mask
	for round := uint64(feistelRounds); round > 0; round-- {
		left, right = right^Mix(p.key^left<<8^(round-1))&mask, left
	}
	return left<<p.half | right
}
