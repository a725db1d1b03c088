//go:build !race

package opcost

const raceEnabled = false
