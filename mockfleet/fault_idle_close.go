package mockfleet

// idle-close: the device closes a kept-alive connection just as it is used again. What came of the request
// goes unanswered.
func idleClose() kind {
	return kind{name: "idle-close", level: levelReuse, takes: takesFirst, connect: closing}
}
