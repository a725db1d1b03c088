package fault

import "time"

// stall-mid-upload: the device stops reading after so many bytes of the body, with a receive
// buffer of 32 KiB. It gives up the update at once and can take the next; it resets the connection
// after the delay, unless its client resets it first.
func stallMidUpload() Kind {
	return Kind{
		Name: "stall-mid-upload", Point: PointUpload, Params: ParamFirst | ParamAfterBytes | ParamDelay,
		Defaults: fixedDelay(holdLimit), Upload: stallAfterBytes,
	}
}

func stallAfterBytes(u Upload, in Injection) Action {
	u.SetReadBuffer(SmallBuffer)
	whole := u.Receive(in.Offset())
	u.Abort()
	if whole {
		u.Hold(in.Wait())
	}
	u.Reset()
	return End
}

// holdLimit is how long a stalled upload is held. The device can't see its client leave: while it
// doesn't read, the end of the connection waits behind the data that the client sent before.
const holdLimit = 2 * time.Minute
