package mockfleet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// ExampleStart starts a fleet of three devices and updates one of them with an HTTP client.
func ExampleStart() {
	fleet, err := mockfleet.Start(context.Background(), mockfleet.Config{
		Devices:    3,
		Addressing: address.Path,
		Seed:       1,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer fleet.Close()

	device := fleet.DeviceAddress(2)
	answer, err := http.Post(device+"/update", "application/octet-stream", strings.NewReader("firmware"))
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.StatusCode)

	answer, err = http.Get(device + "/health")
	if err != nil {
		log.Fatal(err)
	}
	health, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(string(health))
	http.DefaultClient.CloseIdleConnections()

	for entry := range fleet.Ledger() {
		fmt.Println(entry.ID, entry.Version, "applied:", entry.Applied)
	}
	// Output:
	// 200
	// OK
	// device-00000002 sha256-c3bf47ea1f4a applied: 1
}
