/** Limits of looking at dead letters. */

/** One read of a topic: enough to be few round trips, small enough for letters of a megabyte each. */
export const lettersPerReadMax = 100;
/** How much of a value is shown to a person, unless all of it is asked for. */
export const shownValueBytesMax = 2_000;
