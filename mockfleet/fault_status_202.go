package mockfleet

import (
	"net/http"
	"time"
)

// status-202: the device accepts an update and installs it for the delay, while it shows what it ran before,
// says that it is installing, and answers other updates 409.
func status202() kind {
	return kind{name: "status-202", level: levelLife, takes: takesFirst | takesDelay, preset: lasting(time.Second), live: installs}
}

func installs(s strike) passage {
	return passage{status: http.StatusAccepted, message: "installing", installing: s.delay()}
}
