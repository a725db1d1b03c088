//go:build race

package gobench

const raced = true
