//go:build race

package versus

const raced = true
