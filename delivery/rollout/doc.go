// Package rollout delivers an update to any number of devices: in waves, by a bounded number of
// workers, at a bounded rate, to each device once. It stops by itself if too many devices fail.
//
// What goes in is a client, a sequence of devices, an update, and [Options]. What comes out is a
// [Report], which counts devices by what became of them, and meanwhile an [Event] for every step.
// [Run] does all of it. Use [New] for a [Rollout] that can be paused, or asked about its progress.
// The package must never know the protocol of a device: only its [Client] does.
//
// # Devices
//
// Each wave goes through the sequence of devices once, in the goroutine of Run, and keeps nothing
// of a device but 16 bytes (about 30 with what holds them). If there are several waves, or one of a
// part of the devices, another pass before the first wave counts the devices. The sequence must
// then be repeatable: a slice, an inventory.Inventory or a query is, a channel is not. It should
// not block for long, because Run can't return while it does. A device that comes twice is updated
// once: devices are told apart by ID, or by address if they have no ID.
//
// # Failures
//
// A device that fails, after the retries of [delivery.Client.Deliver], has further turns later if
// it may do better then: see [Requeue]. A device that fails for good is counted by the class of its
// error. It doesn't make Run fail; AbortShare says how many may fail before the rollout stops. If a
// device is asked before it is pushed to, and runs the update's version with other content, it
// fails (ErrWrongDigest): somebody has to look at it.
//
// If the client's retry budget is empty, a delivery doesn't fail, but waits for a retry, and leaves
// its worker to another device. About a thousand deliveries can wait in this way; further ones keep
// their worker.
//
// # Resuming
//
// A rollout with a [Journal] can be resumed, however it ended, even by a kill or a power failure:
// run another with the same update and the same journal. Devices that are done according to the
// journal are left out. Every other device is asked before it is pushed to, because the journal may
// be a moment behind. So no device is left out, and none that has the update gets it again. Devices
// that failed are tried again. A device that was under way and doesn't answer now may be rebooting
// with the update: the next run waits for it until [delivery.Retry].PollFor, and later runs don't.
// Waves that were over aren't soaked a second time.
//
// One case remains: a push that the killed run had sent, and that the device applies only after the
// next run has asked it. Both runs send the same Idempotency-Key, by which the device can see that
// the second push is the same update.
package rollout
