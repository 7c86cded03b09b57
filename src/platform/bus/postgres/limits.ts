/** Limits of the embedded bus: what one transaction, one look and one segment may hold, and how long the bus waits for whom. */

/** A member renews three times per lease, so two lost tries do not fence it. */
export const leaseMsDefault = 10_000;

/** Kafka's default age: a consumer that is down over a long weekend loses nothing. */
export const retentionMsDefault = 7 * 24 * 3_600_000;
/** Per topic; a small installation's disk holds this for every topic. */
export const retentionBytesDefault = 1024 * 1024 * 1024;
