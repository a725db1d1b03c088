//go:build race

package opcost

const raceEnabled = true // its allocations are its own
