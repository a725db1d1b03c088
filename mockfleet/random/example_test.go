package random_test

import (
	"fmt"
	"log"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// ExampleParseDuration reads a distribution, writes it, and draws a sample, which depends on the
// distribution and a number alone.
func ExampleParseDuration() {
	latency, err := random.ParseDuration("lognormal(p50=5ms, p99=50ms)")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(latency, latency.Sample(0.5))
	// Output: lognormal(p50=5ms, p99=50ms) 5ms
}
