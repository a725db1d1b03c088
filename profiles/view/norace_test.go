//go:build !race

package view

// Raced reports whether the test runs under the race detector.
const Raced = false
