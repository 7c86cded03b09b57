/** Limits of the payload tracker that are not configuration. Those that are have their defaults here, too. */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const mebibyte = 1024 * 1024;

/** Statuses of one transaction. */
export const batchRecordsDefault = 1_000;
export const batchRecordsMax = 10_000;
export const batchBytesDefault = 8 * mebibyte;
/** How long a batch waits for more: somebody may be looking at a request that has just come in. */
export const batchWaitMsDefault = 20;

/** Two weeks: an operator comes back from a holiday and asks what became of an upload. */
export const retentionAgeMsDefault = 14 * 24 * hour;
/** About a gigabyte of table and index; some 300 000 uploads. */
export const retentionRowsDefault = 5_000_000;
export const retentionEveryMs = 10 * minute;

/** Port of the tracker's own HTTP; the reference's is 80 behind a service address. */
export const httpPortDefault = 8084;
/** A path segment; a request id that is longer was never stored as it is. */
export const requestIdCharactersMax = 4_096;
