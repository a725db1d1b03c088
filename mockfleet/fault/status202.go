package fault

import (
	"net/http"
	"time"
)

// status-202: the device accepts an update and installs it for the delay, while it shows what it
// ran before, says that it is installing, and answers other updates 409.
func status202() Kind {
	return Kind{
		Name: "status-202", Point: PointInstall, Params: ParamFirst | ParamDelay,
		Defaults: fixedDelay(time.Second), Install: installLater,
	}
}

func installLater(in Injection) Lifecycle {
	return Lifecycle{Status: http.StatusAccepted, Message: "installing", Install: in.Wait()}
}
