// Package device holds the records of a fleet's devices and every decision about them: what becomes
// of an update, which faults act on it, what a device goes through afterwards, whether it can be
// reached, and what it says about itself. A [Store] has all of them, each guarded by the lock of
// its stripe.
//
// # A device's stages
//
// The stage (ledger.Stage) is what the fleet knows. The device itself reports only its wire.State.
// Settled is Idle, Running, Failed or rolled back.
//
//	stage       event                                   next        remarks
//	settled     POST over 8 KiB, chunked or HasBehavior Receiving   other updates get 409
//	Receiving   body breaks off, or a fault ends it     as before   counted as incomplete
//	Receiving   a fault responds                        as before   counted as rejected
//	Receiving   Reset                                   Idle        new epoch: 503, and not applied
//	decision    digest mismatch 400                     as before
//	decision    key of another update 422               as before
//	decision    repeat 200, false ack 200               as before
//	decision    forced reject                           as before
//	decision    otherwise                               applied
//	applied     no lifecycle                            Running     200; clears Failed and rolled back
//	applied     install time above 0                    Installing  202; shows the previous software
//	applied     reboot time above 0, no install time    Rebooting   202; the connection ends, the port closes
//	applied     rollback only                           Running*    200; * is phaseRollingBack: it is pending
//	Installing  another update                          Installing  409
//	Installing  time is over, failed-install acts       Failed
//	Installing  time is over                            Rebooting, Running* or Running
//	Rebooting   time is over, SetBehavior               Running* or Running
//	Running*    delay over, or its version read if none rolled back, with the previous software
//	Running*    another update is applied               the rest of the lifecycle is canceled
//	any         Reset                                   Idle        cancels the lifecycle
//
// Offline is a flag that hides the stage; it survives Reset, and phases go on beneath it. A phase
// ends at its planned time, when the device is next looked at or when its timer fires, whichever
// comes first.
//
// The package knows no connection and no socket.
package device
