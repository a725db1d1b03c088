// Package repotest holds the rules of this repository as tests: which package may import which,
// that nothing is global, and that the commands in the documentation work. It has no code outside
// its tests.
package repotest
