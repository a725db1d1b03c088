//go:build race

package opcost

const raceEnabled = true // the race detector allocates too
