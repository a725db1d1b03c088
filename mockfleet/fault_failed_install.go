package mockfleet

import (
	"net/http"
	"time"
)

// failed-install: the device takes an update, installs for the delay, and then can't run it: it says that it
// failed, and goes on with what it ran before.
func failedInstall() kind {
	return kind{name: "failed-install", level: levelLife, takes: takesFirst | takesDelay, preset: lasting(time.Second), live: unfitting}
}

func unfitting(s strike) passage {
	return passage{status: http.StatusAccepted, message: "installing", installing: s.delay(), fails: true}
}
