//go:build !race

package view

// Raced says whether the test has the race detector.
const Raced = false
