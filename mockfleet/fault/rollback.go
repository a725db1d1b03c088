package fault

// rollback: the device runs an update at first, and after the delay what it ran before. Without a
// delay, it does so as soon as it was asked once for its version.
func rollback() Kind {
	return Kind{Name: "rollback", Point: PointInstall, Params: ParamFirst | ParamDelay, Install: rollBack}
}

func rollBack(in Injection) Lifecycle { return Lifecycle{Rollback: true, RollbackAfter: in.Wait()} }
