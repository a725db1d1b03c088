// Package explain says which functions made an operation cost more or less, each with an interval.
//
// Its input is files that package profiles reads, one for each repetition of two sides. Its output
// is an [Explanation], as data and as text.
//
//	files ──> cost of an operation in each function, by repetition ──> permutation test ──> Explanation
//
// A cause is one of the caller's own functions, with what it calls in other packages. All functions
// are tested together, so that the chance of naming any function, if nothing changed, is the one
// that the caller asked for. The package prints nothing, opens no connection, and doesn't know what
// was profiled.
package explain
