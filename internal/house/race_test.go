//go:build race

package house

const raced = true
