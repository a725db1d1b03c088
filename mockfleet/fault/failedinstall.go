package fault

import (
	"net/http"
	"time"
)

// failed-install: the device takes an update, installs for the delay, and then can't run it: it
// says that it failed, and goes on with what it ran before.
func failedInstall() Kind {
	return Kind{
		Name: "failed-install", Point: PointInstall, Params: ParamFirst | ParamDelay,
		Defaults: fixedDelay(time.Second), Install: failInstall,
	}
}

func failInstall(in Injection) Lifecycle {
	return Lifecycle{Status: http.StatusAccepted, Message: "installing", Install: in.Wait(), FailInstall: true}
}
