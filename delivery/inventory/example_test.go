package inventory_test

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/inventory"
)

// Lines that hold no device are named; SkipInvalid keeps the others.
func Example() {
	file := `id,address,location,version,label.kind
till-1,http://192.0.2.1:8080,Oslo,1.0.0,till
till-2,192.0.2.2:8080,Oslo,1.0.0,till
kiosk-1,https://192.0.2.3,Bergen,1.4.2,kiosk
till-1,http://192.0.2.4:8080,Bergen,2.0.0,till
till-5,http://192.0.2.5:8080,Bergen,2.0.0,till
`
	_, err := inventory.Read(strings.NewReader(file), "devices.csv", inventory.Options{})
	fmt.Println(err)

	devices, err := inventory.Read(strings.NewReader(file), "devices.csv", inventory.Options{SkipInvalid: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, bad := devices.Skipped()
	fmt.Println(devices.Len(), "devices,", bad, "bad lines")
	tills := inventory.Filter{Labels: map[string]string{"kind": "till"}, NotVersion: "2.0.0"}
	for device := range devices.Select(tills) {
		fmt.Println(device.ID, "at", device.Address, "wants 2.0.0")
	}
	// Output:
	// devices.csv:3: address: device address "192.0.2.2:8080": want http://HOST[:PORT][/PATH] or https://…, without user, query or fragment
	// devices.csv:5: id: "till-1": is that of line 2 already: want each device once
	// 3 devices, 2 bad lines
	// till-1 at http://192.0.2.1:8080 wants 2.0.0
}
