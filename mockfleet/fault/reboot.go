package fault

import (
	"net/http"
	"time"
)

// reboot: the device is gone for the delay after an update. A port refuses; where devices share a
// listener, connections are reset as they are accepted.
func reboot() Kind {
	preset := fixedDelay(time.Second)
	preset.Status = http.StatusAccepted
	return Kind{
		Name: "reboot", Point: PointInstall, Params: ParamFirst | ParamDelay | ParamStatus,
		Defaults: preset, Install: rebootAfterUpdate,
	}
}

func rebootAfterUpdate(in Injection) Lifecycle {
	return Lifecycle{Status: in.Status, Message: "rebooting", Reboot: in.Wait()}
}
