//go:build !race

package profiles

const raced = false
