//go:build !race

package versus

const raced = false
