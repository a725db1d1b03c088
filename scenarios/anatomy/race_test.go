//go:build race

package anatomy

const raceEnabled = true // its allocations are its own
