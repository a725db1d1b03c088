// Package rundir writes and reads the directory of one run.
//
// A run in progress writes it through a [Directory]: run.json when the run begins and after each
// repetition, and what each repetition measured to files that only grow. All of it is on the disk when a
// method returns, so [Load] reads the directory at every moment, whatever became of the process. run.json
// says how much of the other files belongs to the run; Load drops the rest, and says so.
//
// [List] lists the runs of a folder by their run.json alone.
//
// The package gives nothing a meaning: what the figures say is for packages judge and report.
package rundir
