/** Limits of the stand-in receivers. */

/** Service Log's own limits, as the reference's constants give them; bytes, the stricter reading. */
export const summaryBytesMax = 255;
export const descriptionBytesMax = 4000;
/** A request body; an entry has at most some 6 kB. */
export const requestBytesMax = 1024 * 1024;
/** Entries that a list answers with unless asked for more. */
export const pageSizeDefault = 100;
/** What a stand-in keeps; older records are dropped from memory and, now and then, from the file. A demo makes some dozens. */
export const recordsMax = 50_000;
/** The file is written anew when it holds this many times what is kept, so that it stays bounded. */
export const fileRecordsFactor = 2;
/** A search expression; clients send a few comparisons. */
export const searchCharactersMax = 4096;
/** Nested parentheses of a search expression. */
export const searchDepthMax = 32;
/** How long the stand-in's tokens live: what the hosted endpoint grants. */
export const tokenLifeSeconds = 900;
/** One poll of the bus by the notification backend. */
export const pollRecordsMax = 100;
export const pollWaitMs = 500;
/** Pause after the bus failed. */
export const pollRetryMs = 1000;
/** The backend forgets a message id this long after the message's own timestamp. */
export const deduplicationMs = 24 * 3_600_000;
