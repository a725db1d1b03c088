//go:build !race

package mockfleet

const raced = false
