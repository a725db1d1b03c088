// Package windows judges thresholds of a scenario in windows of a repetition, such as
// "p99-ns/op < 20ms in every 5s", while the load runs.
//
// The intervals of a load go in, one after another ([Judge.Add]). They are merged into the windows of
// each threshold, and each window is held against the limit when it has ended. What comes out is the
// outcome of each threshold: in how many windows the limit was broken, and when ([Judge.Outcome]). A
// threshold with abort ends the run as soon as it has failed.
//
// It knows no run directory and no verdict. It runs in the process that is measured, and allocates
// nothing while a load runs.
package windows
