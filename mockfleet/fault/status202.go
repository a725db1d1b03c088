package fault

import (
	"net/http"
	"time"
)

// status-202: the device answers 202 and installs for the delay. Meanwhile its state is
// installing, it shows what it ran before, and it answers other updates 409.
func status202() Kind {
	return Kind{
		Name: "status-202", Point: PointInstall, Params: ParamFirst | ParamDelay,
		Defaults: fixedDelay(time.Second), Install: installLater,
	}
}

func installLater(in Injection) Lifecycle {
	return Lifecycle{Status: http.StatusAccepted, Message: "installing", Install: in.Wait()}
}
