//go:build race

package profiles

// Raced says whether the test has the race detector.
const Raced = true
