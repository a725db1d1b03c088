package fault

// idle-close: the device closes a kept-alive connection as soon as the head of its next request is
// there. That request gets no answer.
func idleClose() Kind {
	return Kind{Name: "idle-close", Point: PointReuse, Params: ParamFirst, Connect: closeConn}
}
