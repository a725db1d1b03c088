// Package repotest holds rules of this repository as tests: which package may import which, that no
// package has global state, and that the commands in the documentation work. It has no code outside
// its tests.
package repotest
