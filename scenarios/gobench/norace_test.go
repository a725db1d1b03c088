//go:build !race

package gobench

const raced = false
