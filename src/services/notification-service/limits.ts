/** Limits of the notification service. What an operator may want to change is in `config.ts`; these hold whatever the configuration says. */

/** Clusters read, decided and written together: large enough that round trips do not count, small enough for one short transaction. */
export const setClustersMax = 500;
/** Keys of due clusters read at once, about 1 MB: each page looks at all clusters behind the one before it. */
export const dueKeysPerRead = 10_000;
/** Report text read together; one report alone may be larger and then is a set of its own. Bounds the memory of a run. */
export const setReportBytesMax = 16 * 1024 * 1024;
/** `sent` rows of other writers read together with a set: a week of them for each of its clusters is far below. */
export const foreignRowsMax = 20_000;
/** Rows that one statement adds to `reported`: the server copies their report texts. */
export const unsentRowsMax = 2_000;
/** Rows that one statement of the retention deletes, so that no lock and no WAL burst lasts. */
export const retentionRowsMax = 5_000;
/** Tries to find a free microsecond in the key of `reported`; each try that fails means that somebody else took one. */
export const reportedMovesMax = 1_000;
/** Bodies claimed together; one larger message is claimed alone. Together with the number of messages it bounds the memory of delivering. */
export const claimBytesMax = 16 * 1024 * 1024;
/** Manual retries taken up in one run; the rest follows in the next. */
export const reissuesMax = 500;
/** The backend forgets ids after a day counted from the message's timestamp; past this an unknown outcome is listed, not sent again. */
export const unknownResendMsMax = 20 * 3_600_000;
/** A transaction that met a conflict or a lost connection is done again this often; each is safe to repeat. */
export const transactionTriesMax = 5;
/** Pause before such a repetition, multiplied by its number. */
export const transactionRetryMs = 100;
/** Clusters of which it is said, once each, that several organizations report them. */
export const contestedClustersMax = 1_000;
/** Text of an error in `read_errors` (its column) and in the outbox. */
export const errorTextCharsMax = 1_000;
/** Two looks at the clock that differ by more than time has passed: somebody set it, or the machine was suspended. */
export const clockStepMsMin = 2_000;
/** How far back a follow cycle looks for new reports: writers' clocks differ and transactions commit late; the full sweep sees the rest. */
export const followOverlapMs = 10 * 60_000;
/** Follow cycles look this often whether rows of `reported` were removed: it costs a look-up per `sent` row of the cooldown. Full sweeps always do. */
export const removedRowsCheckMs = 30_000;
/**
 * Different recipients that must have been refused, while nothing went through to anybody, until the target is at fault and paused. More than are
 * tried at once by default, so that a first handful of recipients who are refused for themselves stops nobody.
 */
export const refusedRecipientsMin = 10;
/** Shortest pause of a one-shot run before it looks for what is due again. */
export const retryWaitMsMin = 10;
/** A one-shot run waits for what an earlier run tried, where that is due again within this; what waits longer is a later run's. */
export const earlierRetryMsMax = 10_000;
/** A one-shot run ends when no connection to its target has come about for this long; what waits is the next run's. */
export const unreachableMsMax = 3_000;
/** Following, a target that is paused is asked this often whether the cause is over, and the pause is said again after this. */
export const pauseCheckMs = 15_000;
export const pauseSaidMs = 60_000;
/** How long one follow cycle delivers before it looks for new reports again. */
export const followDeliverMsMax = 30_000;
/** After a cycle that failed. */
export const followRetryMs = 5_000;
/** A report whose text could not be rendered is tried again by a follow cycle after this. */
export const renderRetryMs = 60_000;
/** How much of its lease an attempt leaves unused, so that its outcome can be recorded under the lease. */
export const leaseMarginMs = 20_000;
/** When the process stops, attempts in flight get this long before they are cut short; the whole stop has 10 s. */
export const stopPatienceMs = 5_000;
/** Last known disabled rules are used this long while their database is away; after that nothing is decided or sent. */
export const disabledRulesAgeMsMax = 3_600_000;
/** One answer of the content service. */
export const contentMsMax = 10_000;
export const contentBytesMax = 64 * 1024 * 1024;
/** One push to the Pushgateway. */
export const pushMsMax = 10_000;
/** Messages that `ccx notifications list` shows at once. */
export const listedMessagesMax = 1_000;
/** Of dead messages, read at once: their bodies may be large. */
export const deadMessagesPerRead = 100;
