package fault

import (
	"net/http"
	"time"
)

// reboot: the device answers, closes, and is gone for the delay. A port refuses connections; where
// devices share a listener, they are reset as they are accepted.
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
