//go:build race

package abtest

const raced = true
