package stack

import "math"

// AddSaturated returns the sum of a and b. If the sum doesn't fit into 64 bits, AddSaturated
// returns the nearest number that does, with saturated set.
func AddSaturated(a, b int64) (sum int64, saturated bool) {
	sum = a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64, true
	case a < 0 && b < 0 && (sum >= 0 || sum == math.MinInt64):
		return -math.MaxInt64, true
	}
	return sum, false
}

// Abs returns the absolute value of n. For the smallest integer, it returns the largest.
func Abs(n int64) int64 {
	switch {
	case n == math.MinInt64:
		return math.MaxInt64
	case n < 0:
		return -n
	}
	return n
}
