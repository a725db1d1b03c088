// Package explain says which functions made an operation cost more or less, each with an interval.
//
// What goes in: files that package profiles reads, one a repetition, of two sides. What comes out:
// an [Explanation], as data and as text.
//
//	files ──> cost of an operation in each function, by repetition ──> permutation test ──> Explanation
//
// A cause is one of the caller's own functions, with all that it calls elsewhere. All functions are
// tested together, so that where nothing changed the chance of naming anything is the one that was
// asked for. The package prints nothing, opens no connection, and doesn't know what was profiled.
package explain
