/** Limits of the stand-in receivers. */

/** A request body; an entry has at most some 6 kB. */
export const requestBytesMax = 1024 * 1024;
/** What a stand-in keeps; older records are dropped from memory and, now and then, from the file. A demo makes some dozens. */
export const recordsMax = 50_000;
