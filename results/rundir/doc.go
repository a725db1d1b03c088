// Package rundir writes and reads the directory of one run.
//
// A run in progress writes it through a [Directory]: run.json when the run begins and after each
// repetition, and what each repetition measured to files that only grow. All of it is on the disk
// when a method returns, so [Load] can read the directory at every moment, whatever became of the
// process. run.json says how much of the other files belongs to the run; Load drops the rest, and
// says so in [Loaded.Warnings].
//
// [List] lists the runs of a folder by reading their run.json alone.
//
// The package doesn't interpret what it stores: packages judge and report do.
package rundir
