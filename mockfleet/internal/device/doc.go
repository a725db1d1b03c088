// Package device holds the records of a fleet's devices and every decision about them: what becomes of an
// update, which faults act on it, what a device goes through afterwards, whether it can be reached, and
// what it says about itself. A [Store] has all of them, each guarded by the lock of its shard.
//
// # A device's stages
//
// The stage is the fleet's knowledge (ledger.Stage); the device itself tells only wire.State.
// Settled is Idle, Running, Failed or rolled back.
//
//	stage       event                                   next        remarks
//	settled     POST over 8 KiB, chunked or HasBehavior Receiving   other updates get 409
//	Receiving   body breaks off, or a fault ends it     as before   counted as incomplete, or as rejected if the fault responds
//	Receiving   Reset                                   Idle        the epoch changed: the update gets 503 and isn't applied
//	decision    digest mismatch 400, key of another update 422, repeat 200, forced reject, false ack: as before; otherwise applied
//	applied     no lifecycle                            Running     200; Failed and rolled-back are cleared
//	applied     install time above 0                    Installing  202; shows the previous software; other updates get 409
//	applied     reboot time above 0, no install time    Rebooting   202; the connection ends with the response, the port closes
//	applied     rollback only                           Running*    200; * is phaseRollingBack: a rollback is pending
//	Installing  time is over                            Failed if failed-install acts, else Rebooting, Running* or Running
//	Rebooting   time is over, SetBehavior               Running* or Running
//	Running*    delay over, or without one the next look answered: rolled back, with the previous software
//	Running*    another update is applied               the rest of the lifecycle is canceled; Reset cancels it in every stage
//
// Offline is a flag that hides the stage; it survives Reset, and phases go on beneath it. A phase ends at
// its planned time, when the device is next looked at or when its timer fires, whichever comes first.
//
// The package knows no connection and no socket.
package device
