//go:build race

package mockfleet

const raced = true
