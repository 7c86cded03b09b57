/** Limits of the embedded bus: what one transaction, one look and one segment may hold, and how long the bus waits for whom. */

/** Rows of one INSERT; more gain nothing. */
export const insertRowsMax = 1_000;
/** Bytes of one INSERT; a larger batch goes in several statements of the same transaction. */
export const insertBytesMax = 8 * 1024 * 1024;
/** Waiting sends of one producer that share a transaction: one fsync for all of them. */
export const transactionRecordsMax = 10_000;
export const transactionBytesMax = 32 * 1024 * 1024;
/** Looks at the topics again before a send gives up on a topic that was deleted under it. */
export const staleTopicAttemptsMax = 2;

/** Polling is the truth and NOTIFY the hint; this is how late a record may be when the hint is lost. */
export const pollEveryMsDefault = 500;
/** A member renews three times per lease, so two lost tries do not fence it. */
export const leaseMsDefault = 10_000;
export const renewalsPerLease = 3;
/** A lease that ends later than this was given before the server's clock was set back: its member renews it now, or is dead. */
export const leaseAheadMsMax = 15 * 60_000;
/** Looks at the segments again when one was dropped between the look and the read. */
export const droppedSegmentAttemptsMax = 3;

/** How often each process asks whether something has to be dropped. */
export const retentionEveryMsDefault = 30_000;
/** Kafka's default age: a consumer that is down over a long weekend loses nothing. */
export const retentionMsDefault = 7 * 24 * 3_600_000;
/** Per topic; a small installation's disk holds this for every topic. */
export const retentionBytesDefault = 1024 * 1024 * 1024;
/** A segment is at most this share of what its topic keeps, so that dropping one does not drop most of it. */
export const segmentsPerRetention = 8;
export const segmentMsMax = 24 * 3_600_000;
export const segmentBytesMax = 128 * 1024 * 1024;
/** Below this a topic with a tiny retention would make a table for every handful of records. */
export const segmentBytesMin = 64 * 1024;
/** Opening or dropping a segment needs locks that a slow producer may hold; then it waits for the next run instead of holding others up. */
export const segmentLockMsMax = 1_000;
