/** Limits that both adapters share. */

/** Key, value and headers of one record. What librdkafka allows by default: fits a broker whose limit of a batch, framing included, is the default. */
export const recordBytesMaxDefault = 1_000_000;
/** Fetched and not yet handed out, per consumer, unless it says otherwise: a few hundred reports. */
export const bufferedBytesMaxDefault = 16 * 1024 * 1024;
/** One answer of `read()`: enough for a page of dead letters, bounded whatever `recordsMax` says. */
export const readBytesMax = 64 * 1024 * 1024;
/** Records of one `read()`, whatever the caller asks for. */
export const readRecordsMax = 10_000;
