package profiles_test

import (
	"fmt"

	"github.com/fleetmark/fleetmark/profiles"
)

// The error says what is wrong with the path.
func ExampleFind() {
	_, err := profiles.Find("no-such-run", profiles.CPU)
	fmt.Println(err)
	// Output:
	// profile no-such-run: missing (file does not exist): name a run directory or a .pb.gz file
}

func ExampleParseKind() {
	_, err := profiles.ParseKind("memory")
	fmt.Println(err)
	// Output:
	// profile kind "memory": unknown: want one of cpu, heap, allocs, goroutine, mutex, block
}
