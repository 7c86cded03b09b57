/** Limits of reading stored reports. They protect the run from one hostile or broken row; each has a test at the limit and one past it. */

/** Text of one stored report in UTF-8. The largest genuine shrunk reports are some hundred kB; a run holds a set of them in memory. */
export const reportBytesMax = 8 * 1024 * 1024;
/** Issues of one report. The whole rule catalog has a few hundred error keys. */
export const reportIssuesMax = 10_000;
/** `type`, `component` and `key` of one issue together in UTF-8: they are the ledger's primary key, and a B-tree entry ends at 2704 bytes. */
export const issueKeyBytesMax = 1_500;
