// Package house holds the rules of the whole repository as tests: who may import
// whom, and that every command in the documentation works. It has no code of its own.
package house
