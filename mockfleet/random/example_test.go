package random_test

import (
	"fmt"
	"log"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// A distribution reads and writes as text, and its samples depend on nothing but it and a number.
func ExampleParseDuration() {
	latency, err := random.ParseDuration("lognormal(p50=5ms, p99=50ms)")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(latency, latency.Sample(0.5))
	// Output: lognormal(p50=5ms, p99=50ms) 5ms
}
