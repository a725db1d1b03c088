package fault

import "time"

// flapping: a port refuses connections for the delay, takes one, and refuses again. Where devices
// share a listener, the first, third, … connection is reset as it is accepted.
func flapping() Kind {
	return Kind{
		Name: "flapping", Point: PointConnect, Params: ParamDelay, Defaults: fixedDelay(100 * time.Millisecond),
		Port: flapPort, Connect: resetConn, When: isOddAttempt,
	}
}

func flapPort(in Injection) PortState {
	return PortState{Show: PortClosed, For: in.Wait(), CloseAfterEach: in.Wait()}
}

func isOddAttempt(_ *Request, in Injection) bool { return in.Number%2 == 1 }
