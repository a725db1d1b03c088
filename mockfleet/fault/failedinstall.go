package fault

import (
	"net/http"
	"time"
)

// failed-install: the device answers 202, installs for the delay, and fails: its state is failed,
// and it runs what it ran before. The ledger counts it in install_failures.
func failedInstall() Kind {
	return Kind{
		Name: "failed-install", Point: PointInstall, Params: ParamFirst | ParamDelay,
		Defaults: fixedDelay(time.Second), Install: failInstall,
	}
}

func failInstall(in Injection) Lifecycle {
	return Lifecycle{Status: http.StatusAccepted, Message: "installing", Install: in.Wait(), FailInstall: true}
}
