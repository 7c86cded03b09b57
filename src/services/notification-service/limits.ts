/** Limits of the notification service. What an operator may want to change is in `config.ts`; these hold whatever the configuration says. */

/** Text of an error in `read_errors` (its column) and in the outbox. */
export const errorTextCharsMax = 1_000;
/** A report whose text could not be rendered is tried again by a follow cycle after this. */
export const renderRetryMs = 60_000;
