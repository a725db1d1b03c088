package mockfleet

import (
	"net/http"
	"time"
)

// reboot: the device is gone for the delay after an update. A port refuses; where devices share a listener,
// connections are reset as they are accepted.
func reboot() kind {
	preset := lasting(time.Second)
	preset.Status = http.StatusAccepted
	return kind{name: "reboot", level: levelLife, takes: takesFirst | takesDelay | takesStatus, preset: preset, live: reboots}
}

func reboots(s strike) passage {
	return passage{status: s.Status, message: "rebooting", gone: s.delay()}
}
