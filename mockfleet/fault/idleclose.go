package fault

// idle-close: the device closes a kept-alive connection just as it is used again. What came of the
// request goes unanswered.
func idleClose() Kind {
	return Kind{Name: "idle-close", Point: PointReuse, Params: ParamFirst, Connect: closeConn}
}
