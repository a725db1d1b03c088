package fault

// rollback: the device runs the update at first, and after the delay what it ran before. Without a
// delay, it goes back once it was asked for its version.
func rollback() Kind {
	return Kind{Name: "rollback", Point: PointInstall, Params: ParamFirst | ParamDelay, Install: rollBack}
}

func rollBack(in Injection) Lifecycle { return Lifecycle{Rollback: true, RollbackAfter: in.Wait()} }
