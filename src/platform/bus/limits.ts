/** Limits that both adapters share. */

/** Key, value and headers of one record. What librdkafka allows by default: fits a broker whose limit of a batch, framing included, is the default. */
export const recordBytesMaxDefault = 1_000_000;
/** Fetched and not yet handed out, per consumer, unless it says otherwise: a few hundred reports. */
export const bufferedBytesMaxDefault = 16 * 1024 * 1024;
/** One answer of `read()`: enough for a page of dead letters, bounded whatever `recordsMax` says. */
export const readBytesMax = 64 * 1024 * 1024;
/** Records of one `read()`, whatever the caller asks for. */
export const readRecordsMax = 10_000;
/** Committed offsets that an offset tracker keeps before it cuts its list; small enough to be nothing, large enough to be rare. */
export const compactAfterTaken = 1_024;
/** Kafka's own bound of a topic's name. */
export const topicNameLengthMax = 249;
/** Partitions of a topic of the embedded bus: a lock and a row each; more than a small installation has consumers. */
export const partitionsMax = 256;
/** Status messages that wait for the bus, some 6 MB. Beyond it the oldest are dropped and counted: they are told, not promised. */
export const statusesWaitingMax = 30_000;
/** Status messages sent at once. */
export const statusBatchMax = 1_000;
/** Text of an error in a status message. */
export const statusTextBytesMax = 1_024;
/** Pause before status messages are sent again; doubles with each attempt, with jitter. */
export const statusRetryMsMin = 250;
export const statusRetryMsMax = 15_000;
/** One poll of a batch intake; a stop interrupts it. */
export const intakePollMs = 1_000;
/** Pause of a batch intake before something that failed for lack of a database or a bus is tried again; doubles with each attempt. */
export const intakeRetryMsMin = 100;
export const intakeRetryMsMax = 15_000;
