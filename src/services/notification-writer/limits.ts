/** Limits of the notification writer that are not configuration. Those that are have their defaults here, too. */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const mebibyte = 1024 * 1024;

/** Messages of one transaction: past a few hundred the round trips no longer count, and a retry repeats less. */
export const batchRecordsDefault = 500;
/** What one configuration may ask for; the parameters of a statement are held in memory twice. */
export const batchRecordsMax = 10_000;
/** Bytes of the messages of one transaction. One message that is larger makes a batch of its own. */
export const batchBytesDefault = 16 * mebibyte;
/** How long a batch waits for more after its first message: a burst becomes one transaction, a single message is hardly later. */
export const batchWaitMsDefault = 10;

/** Clocks of the pipeline and the writer differ; the reference loses every report that comes from a clock ahead of its own. */
export const futureToleranceMsDefault = 60 * second;

/** Largest number that the integer columns hold; the message format allows twice that. */
export const tableIntegerMax = 2_147_483_647;
/** Bytes that the column `cluster` holds. */
export const clusterBytesMax = 36;

/** A part of a message that facts are read from; a hosted report of 139 skipped rules has 20 kB of them. What is larger is left alone. */
export const factPartBytesMax = 512 * 1024;
/** Modules of a catalogue, and rules that one report names as silent; the hosted catalogue has a few hundred. */
export const factRulesMax = 5_000;
/** The module of a rule in UTF-8. */
export const factModuleBytesMax = 256;
/** Why a rule was silent, in UTF-8: the inputs that it lacked. */
export const factDetailsBytesMax = 500;
/** Cluster versions are short; this is for what nobody thought of. */
export const factClusterVersionBytesMax = 128;
/** Catalogues whose headers are remembered as read: two pipelines during an update, and as many again. */
export const cataloguesRememberedMax = 4;

/** A writer that waits for its database tries again after this; doubles with each attempt. */
export const waitingRetryMsMin = 500;
export const waitingRetryMsMax = 10 * second;
/** How often it says so while nothing changes. */
export const waitingReminderMs = minute;

/** How often records of reports that are gone are removed. */
export const maintenanceEveryMs = 10 * minute;
/** Rows removed at once, so that no statement holds up anybody for long. */
export const maintenanceRowsMax = 5_000;
/** How long the writer remembers what it stored if nobody cleans `new_reports`: longer than any topic is kept. */
export const storedMessageRetentionMsDefault = 30 * 24 * hour;

/** A request of the metrics server has no body. */
export const metricsBodyBytesMax = 1024;
