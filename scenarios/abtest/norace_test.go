//go:build !race

package abtest

const raced = false
