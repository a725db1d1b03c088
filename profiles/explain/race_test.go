//go:build race

package explain

// Raced says whether the test has the race detector.
const Raced = true
