//go:build race

package repotest

const raced = true
