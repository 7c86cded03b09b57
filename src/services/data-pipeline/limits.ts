/** Limits of the data pipeline that are not configuration. Those that are have their defaults here, too. */

/** Pause after the bus refused a poll or a commit. */
export const busPauseMs = 1_000;
