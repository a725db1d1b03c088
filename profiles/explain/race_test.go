//go:build race

package explain

// raced reports whether the test runs under the race detector.
const raced = true
