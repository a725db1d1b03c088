// Package timeline describes what happened when within a repetition.
//
// A repetition is divided into intervals, usually of one second each. An [Interval] counts the
// operations of one of them and holds percentiles of their times. A run in progress writes each
// interval as a line of timeline.jsonl when the interval has ended ([Interval.AppendLine]), and the
// histograms that the percentiles come from as lines of latency.hlog. [Read] reads timeline.jsonl
// back, and [Schema] describes it for other programs.
//
// Operations are counted in the interval in which something happened to them: planned when they
// were due, sent when they began, succeeded or failed when they ended. So the sum of all intervals
// of a repetition is the repetition's own count, and an interval in which nothing ended, although
// operations were due, shows a stall.
//
// [Stalls] finds such intervals. [Merge] makes fewer intervals of many, for where there is little
// room to show them.
//
// The package doesn't know runs, loads or reports.
package timeline
