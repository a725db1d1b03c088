// Package rollout brings an update to any number of devices: in waves, by a bounded number of
// workers, at a bounded rate, each device once, stopping by itself where too many fail.
//
// What goes in is a client, a sequence of devices, an update, and [Options]. What comes out is a
// [Report] that counts devices by what became of them, and meanwhile an [Event] for every step. [Run]
// does it all; make a [Rollout] with [New] to pause it, or to ask how far it is.
//
// # Devices
//
// They come as a sequence, which is gone through once a wave in the goroutine of Run, and of which
// nothing is held but 16 bytes a device (about 30 with what keeps them). Where there are several
// waves, or one of a part, it is gone through before them, too, to divide it: then it must be
// repeatable. A slice, an inventory.Inventory or a query are, a channel is not. It should not block for long,
// for Run can't end while it does. A device that comes twice is updated once: devices are told
// apart by ID, or by address where they have none.
//
// # Failures
//
// A device that fails, after the retries of [delivery.Client.Deliver], in a way that time may heal has
// further turns later, as [Requeue] says. One that fails for good is counted by its class; it
// doesn't make Run fail. AbortShare says how many may fail. A device that already runs the
// update's version with other content is a failure (ErrWrongDigest) where it is asked before:
// somebody has to look at it.
//
// A delivery that finds the client's retry budget empty doesn't fail, but waits for a retry, and
// another device has its worker. Some thousand can wait so; what is more keeps its worker.
//
// # Resuming
//
// With a [Journal], a rollout that ended in whatever way (a kill or a power failure too) goes on
// where it was: Run another with the same update and the same journal. Devices that the journal
// calls done are left out; every other one is asked before it is pushed to, because the journal may
// be a moment behind what was done. So no device is left out, and none that has the update gets it
// again. Devices that failed are tried again. One that was under way and doesn't answer now may be
// rebooting with the update: the next run, but none after it, waits for it until
// [delivery.Retry].PollFor. Waves that had passed aren't soaked a second time.
//
// One case remains: a push that the killed run had sent and that the device takes
// only after the next run has asked it. The Idempotency-Key, the same in both runs, lets
// the device see that the second is the same update.
package rollout
